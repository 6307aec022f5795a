"""`textgen trace`: what a text has copied, from the command line."""

import json
import re
import shutil

COPY = "quick brown fox jumps over the lazy dog."


def test_copies_are_marked_and_summed_up(run, models):
    result = run("trace", "-", "-m", "fox", "--models-dir", models, input=f"My {COPY} End, ok?")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"My⟦ {COPY} ⟧End, ok?"
    assert re.fullmatch(
        rf"{len(COPY) + 2} characters, .*fox.txt:1: ' {re.escape(COPY)} '", lines[2]
    )
    assert "the longest has 42." in lines[3]
    assert lines[4].startswith("Held-out text of the corpus: 100.0% of")


def test_json_has_every_passage(run, models, tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(f"xxx{COPY}xxx", "utf-8")
    result = run("trace", file, "--models-dir", models, "--json", "--min-characters", 40)
    found = json.loads(result.stdout)
    assert [found["longest"], len(found["passages"])] == [40, 1]
    assert found["passages"][0]["text"] == COPY
    assert found["passages"][0]["file"].endswith("fox.txt")
    assert found["passages"][0]["line_in_file"] == 1
    none = run("trace", file, "--models-dir", models, "--json", "--min-characters", 41)
    assert json.loads(none.stdout)["fraction"] == 0


def test_a_file_that_is_gone_is_not_named(run, models, monkeypatch):
    monkeypatch.setattr("textgen.originality.run_index.find_places", lambda *_: {})
    result = run("trace", "-", "-m", "fox", "--models-dir", models, input=COPY)
    assert re.search(r"^40 characters, line \d+: 'quick", result.stdout, re.MULTILINE)


def test_without_the_run_there_is_nothing_to_compare_with(run, models, tmp_path):
    folder = shutil.copytree(models, tmp_path / "models")
    shutil.rmtree(folder / "fox" / "train")
    result = run("trace", "-", "-m", "fox", "--models-dir", folder, input="text")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: fox: the training run of this model is gone")


def test_generate_marks_its_own_copies(run, models):
    shared = ("generate", "The ", "-m", "fox", "--regex", re.escape(COPY), "--trace")
    result = run(*shared, "--models-dir", models)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"The ⟦{COPY}⟧\n")
    assert f"the longest has {len(COPY)}." in result.stdout
    found = json.loads(run(*shared, "--json", "--models-dir", models).stdout)
    assert found["copies"]["longest"] == len(COPY)
    assert run(*shared, "--stream", "--models-dir", models).exit_code == 2


def test_generate_does_not_copy_if_it_must_not(run, models):
    prompt = COPY.removesuffix("lazy dog.")
    shared = ("generate", prompt, "-m", "fox", "-n", 1, "--logit-bias", "l=99", "--no-echo")
    assert run(*shared, "--models-dir", models).stdout == "l\n"
    result = run(*shared, "--novel", 20, "--models-dir", models)
    assert result.exit_code == 0, result.output
    assert result.stdout != "l\n"

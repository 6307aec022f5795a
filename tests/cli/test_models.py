"""`textgen list` and `textgen info`."""

import json
import re
import shutil

import pytest

from textgen.catalog import CARD_PATH


def test_list_tells_size_corpus_and_quality(run, models):
    result = run("list", "--models-dir", models)
    assert "fox" in result.stdout
    assert "transformer" in result.stdout
    (row,) = (
        json.loads(line)
        for line in run("list", "--json", "--models-dir", models).stdout.splitlines()
    )
    assert row["corpus"] == "fox.txt"
    assert row["bits_per_character"] > 0


def test_list_keeps_each_model_on_a_line_of_its_own_in_a_pipe(run, models, tmp_path):
    name = "a-name-as-long-as-" * 5
    shutil.copytree(models / "fox", tmp_path / name)
    header, row = run("list", "--models-dir", tmp_path).stdout.splitlines()
    assert header.startswith("Name")
    assert row.startswith(name)
    assert row.rstrip().endswith("fox.txt")


@pytest.mark.parametrize("text", ["poems[draft]", "a:smile:", "[bold]x[/b]"])
def test_list_shows_names_and_corpora_as_they_are(run, models, tmp_path, text):
    # A folder's name holds no slash.
    name = text.replace("/", "")
    shutil.copytree(models / "fox", tmp_path / name)
    path = tmp_path / name / "1" / CARD_PATH
    card = json.loads(path.read_text("utf-8"))
    card["corpus"]["description"] = text
    path.write_text(json.dumps(card), "utf-8")
    _, row = run("list", "--models-dir", tmp_path).stdout.splitlines()
    assert row.startswith(f"{name} ")
    assert row.rstrip().endswith(f" {text}")


def test_list_of_nothing_says_what_to_do(run, tmp_path):
    result = run("list", "--models-dir", tmp_path)
    assert result.exit_code == 0
    assert "textgen train" in result.stdout


@pytest.mark.parametrize("change", [{"training": None}, {"model": "x"}, {"steps": "many"}])
def test_a_card_with_something_else_in_it_is_told_and_the_others_are_listed(
    run, models, tmp_path, change
):
    shutil.copytree(models / "fox", tmp_path / "fox")
    shutil.copytree(models / "fox", tmp_path / "broken")
    path = tmp_path / "broken" / "1" / CARD_PATH
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **change}), "utf-8")
    listed = run("list", "--models-dir", tmp_path)
    assert [row.split()[0] for row in listed.stdout.splitlines()] == ["Name", "fox"]
    assert "broken" in listed.stderr
    told = run("info", "broken", "--models-dir", tmp_path)
    assert told.exit_code == 1
    assert f"{path.parents[1]}: the model card" in told.stderr


def test_a_model_with_a_damaged_card_is_passed_over_with_a_warning(run, models, tmp_path):
    (tmp_path / "broken" / "1").mkdir(parents=True)
    (tmp_path / "broken" / "1" / "saved_model.pb").write_bytes(b"")
    result = run("list", "--models-dir", tmp_path)
    assert result.exit_code == 0
    assert "broken" in result.stderr


def test_info_tells_shape_training_and_quality(run, models):
    result = run("info", "fox", "--models-dir", models)
    for expected in ("version 1", "context 8", "fox.txt", "6 steps of 4 windows", "perplexity"):
        assert expected in result.stdout
    card = json.loads(run("info", "--json", "--models-dir", models).stdout)
    assert card["versions"]["tensorflow"]


def test_info_names_the_models_that_a_model_learned_from(run, copies):
    path = copies / "fox" / "2" / "assets.extra" / "textgen.json"
    parent = {"name": "hound", "version": None, "digest": "0" * 64, "license": "MIT"}
    teacher = {"name": "owl", "version": 3, "digest": "1" * 64}
    card = json.loads(path.read_text("utf-8")) | {"parent": parent, "teacher": teacher}
    path.write_text(json.dumps(card), "utf-8")
    lines = run("info", "fox", "--models-dir", copies).stdout.splitlines()
    assert "Began from:    hound (MIT)" in lines
    assert "Taught by:     owl, version 3" in lines


def test_a_narrow_terminal_gets_fewer_columns(run, models, monkeypatch):
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    for width, columns in ((30, "Name Model Bits/char"), (50, "Name Version Model Bits/char Size")):
        monkeypatch.setenv("COLUMNS", str(width))
        shown = run("list", "--models-dir", models).stdout
        lines = re.sub(r"\x1b\[\d*m", "", shown).splitlines()
        assert lines[0].split() == columns.split()
        assert len(lines) == 2
        assert all(len(line) <= width for line in lines)


def test_names_cannot_command_the_terminal(run, models, tmp_path):
    folder = shutil.copytree(models / "fox", tmp_path / "\x1b[31mred")
    card = folder / "1" / "assets.extra" / "textgen.json"
    values = json.loads(card.read_text("utf-8"))
    values["model"]["architecture"] = values["corpus"]["description"] = "\x1b]0;owned\x07"
    card.write_text(json.dumps(values), "utf-8")
    for command in (["list"], ["info"], ["info", "\x1b[1m"], ["score", "none"]):
        result = run(*command, "--models-dir", tmp_path, color=True)
        assert "\x1b" not in result.output
    assert "\\x1b[31mred" in run("list", "--models-dir", tmp_path).stdout


def test_info_of_an_unknown_model_fails(run, models):
    result = run("info", "wolf", "--models-dir", models)
    assert result.exit_code == 1
    assert "wolf" in result.stderr


@pytest.fixture
def copies(models, tmp_path):
    """A models folder with two versions of `fox`."""
    shutil.copytree(models / "fox", tmp_path / "models" / "fox")
    shutil.copytree(models / "fox" / "1", tmp_path / "models" / "fox" / "2")
    return tmp_path / "models"


def test_every_version_can_be_listed(run, copies):
    result = run("list", "--versions", "--json", "--models-dir", copies)
    assert [json.loads(line)["version"] for line in result.stdout.splitlines()] == [2, 1]
    assert "version 1" in run("info", "fox/1", "--models-dir", copies).stdout


def test_deleting_asks_first(run, copies):
    result = run("delete", "fox/1", "--models-dir", copies, input="n\n")
    assert result.exit_code == 1
    assert "Delete version 1 of fox?" in result.stderr
    assert (copies / "fox" / "1").is_dir()
    assert run("delete", "fox/1", "--models-dir", copies, input="y\n").exit_code == 0
    assert not (copies / "fox" / "1").exists()
    result = run("delete", "fox", "--yes", "--models-dir", copies)
    assert "version 2 and the training run" in result.stderr
    assert not (copies / "fox").exists()


@pytest.mark.parametrize("name", ["wolf", "fox/7", "fox/x", f"fox/{'9' * 5000}", "../fox", ""])
def test_what_is_no_model_is_not_deleted(run, copies, name):
    result = run("delete", name, "--models-dir", copies)
    assert result.exit_code in (1, 2)
    assert result.stderr.count("\n") <= 4
    assert "?" not in result.stderr
    assert "should not happen" not in result.stderr
    assert (copies / "fox" / "2").is_dir()


def test_a_model_is_renamed(run, copies):
    assert run("rename", "fox", "wolf", "--models-dir", copies).exit_code == 0
    assert "version 2" in run("info", "wolf", "--models-dir", copies).stdout
    assert run("rename", "fox", "cat", "--models-dir", copies).exit_code == 1


def test_a_loss_on_the_model_s_own_text_is_marked(run, copies):
    path = copies / "fox" / "2" / CARD_PATH
    card = json.loads(path.read_text("utf-8"))
    card["corpus"]["validation_characters"] = 0
    path.write_text(json.dumps(card), "utf-8")
    assert "loss on its own text" in run("info", "fox", "--models-dir", copies).stdout
    listed = run("list", "--models-dir", copies)
    assert "*" in listed.stdout
    assert "nothing was kept for validation" in listed.stderr

"""`textgen train`: what it writes, and one sentence for every mistake."""

import gzip
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys

import pytest
from textgen.cli.train import default_name, replayed

from tests.cli.conftest import CORPUS, SMALL
from tests.conftest import ROOT
from tests.light_runs import TRAIN
from tests.waiting import PATIENCE, interrupt
from textgen.run import ModelRuns, RunLock

# The run of the fixture `models` writes them.
pytestmark = pytest.mark.usefixtures("without_samples")
without_graph = pytest.mark.usefixtures("without_graph")


def test_a_run_leaves_a_version_with_card_and_history(models):
    folder = models / "fox"
    card = json.loads((folder / "1" / "assets.extra" / "textgen.json").read_text())
    assert card["steps"] == 6
    assert card["model"]["hidden_dim"] == 16
    assert card["corpus"]["num_characters"] == len(CORPUS)
    history = [json.loads(line) for line in (folder / "train" / "history.jsonl").open()]
    assert history[-1]["step"] == 6
    assert card["validation_loss"] == min(record["validation_loss"] for record in history)


@without_graph
def test_without_a_terminal_progress_is_plain_lines_on_stderr(run, corpus, tmp_path):
    result = run("train", corpus, *SMALL, "--models-dir", tmp_path, "--name", "again")
    assert result.stdout == ""
    assert "\x1b" not in result.stderr
    for phase in ("reading", "compiling", "exporting"):
        assert f"{phase} ..." in result.stderr
    assert "Plan: transformer 1 x 16, context 8, batch 4, 6 steps of about" in result.stderr
    assert "step 6: loss" in result.stderr
    assert "bits/char" in result.stderr
    assert str(tmp_path / "again" / "1") in result.stderr


def test_a_dry_run_says_the_plan_and_trains_nothing(run, corpus, tmp_path):
    command = ["train", corpus, "--dry-run", "--time-budget", "2m", "--models-dir", tmp_path]
    result = run(*command, "--batch-size", "5")
    assert result.exit_code == 0, result.output
    plan, expected = result.stdout.splitlines()
    assert plan.startswith("Plan: transformer ")
    assert ", batch 5, " in plan
    assert expected.startswith(f"Corpus: {len(CORPUS) / 1000:.3g} thousand characters")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("option", "planned"),
    [
        (("--accumulate", "3"), {"batch": 3}),
        (("--accumulate", "8"), {"batch": 8}),
        (("--num-heads", "3"), {"width": 3}),
        (("--hidden-dim", "130"), {"width": 130}),
    ],
    ids=" ".join,
)
def test_the_plan_suits_an_option_given_alone(run, corpus, tmp_path, option, planned):
    result = run("train", corpus, "--dry-run", "--models-dir", tmp_path, *option)
    assert result.exit_code == 0, result.output
    shown = re.search(r"x (?P<width>\d+), context \d+, batch (?P<batch>\d+),", result.stdout)
    for name, unit in planned.items():
        assert int(shown[name]) % unit == 0


def test_a_size_is_kept_and_the_rest_is_planned(run, corpus, tmp_path):
    command = ["train", corpus, "--dry-run", "--models-dir", tmp_path]
    result = run(*command, "--model", "lstm", "--size", "base", "--max-steps", "7")
    assert "Plan: lstm 2 x 768, context 256, batch 16, 7 steps" in result.stdout


@without_graph
def test_the_corpus_may_come_from_standard_input_and_from_gz(run, tmp_path):
    result = run("train", "-", *SMALL, "--models-dir", tmp_path, input=CORPUS)
    assert result.exit_code == 0, result.output
    packed = tmp_path / "tale.txt.gz"
    packed.write_bytes(gzip.compress(CORPUS.encode()))
    result = run("train", packed, *SMALL, "--models-dir", tmp_path, "--model", "lstm")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "stdin" / "1").is_dir()
    assert (tmp_path / "tale" / "1").is_dir()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("tale.txt", "tale"),
        ("tale.txt.gz", "tale"),
        ("link.txt", "link"),  # to tale.txt
        ("tale[1].txt", "tale[1]"),
        ("texts/*.txt", "texts"),
        ("texts/", "texts"),
        ("/", "corpus"),
        ("-", "stdin"),
    ],
)
def test_a_model_is_named_after_its_corpus(tmp_path, monkeypatch, path, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts").mkdir()
    for file in ("tale.txt", "tale.txt.gz", "tale[1].txt"):
        (tmp_path / file).touch()
    (tmp_path / "link.txt").symlink_to("tale.txt")
    assert default_name(path) == name


@without_graph
def test_what_to_try_can_be_pasted_into_a_shell(run, corpus, tmp_path):
    where = tmp_path / "my models"
    result = run("train", corpus, *SMALL, "--name", "my fox", "--models-dir", where)
    *_, hint = result.stderr.splitlines()
    assert shlex.split(hint.removeprefix("Try: textgen ")) == [
        *("generate", "-m", "my fox", "--models-dir", str(where), "...")
    ]


@without_graph
def test_any_file_name_can_be_told_of_in_a_card(run, tmp_path):
    corpus = tmp_path / os.fsdecode(b"caf\xe9.txt")
    corpus.write_text(CORPUS, encoding="utf-8")
    where = ["--models-dir", tmp_path / "models"]
    result = run("train", corpus, *SMALL, "--name", "coffee", *where)
    assert result.exit_code == 0, result.output
    assert "caf\N{REPLACEMENT CHARACTER}.txt" in run("info", "coffee", *where).stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "Name a corpus"),
        (["missing.txt"], 1, "missing.txt"),
        (["EMPTY"], 1, "empty"),
        (["BINARY"], 1, "this is a program"),
        (["SHORT"], 1, "longer than the context"),
        (["SHORT", "--dry-run"], 1, "longer than the context"),
        (["GOOD", "--dry-run", "--context-length", "5000"], 1, "longer than the context"),
        (["GOOD", "--name", "a/b"], 2, "plain folder name"),
        (["GOOD", "--name", ".."], 2, "plain folder name"),
        (["GOOD", "--hidden-dim", "130", "--num-heads", "4"], 2, "multiple of --num-heads"),
        (["GOOD", "--size", "small", "--num-heads", "3"], 2, "hidden_dim=128, num_heads=3"),
        (["GOOD", "--batch-size", "4", "--accumulate", "8"], 2, "multiple of accumulate"),
        (["GOOD", "--dropout", "1"], 2, "--dropout must be in [0, 1). Received: 1.0"),
        (["GOOD", "--tokenizer", "bpe", "--vocab-size", "2000000000"], 2, "in [259, 1048576]"),
        (["GOOD", "--max-steps", "0"], 2, "--max-steps must be"),
        (["GOOD", "--hidden-dim", "9" * 20], 2, "--hidden-dim must be less than 2147483648"),
        (["GOOD", "--model", "lstm", "--num-heads", "4"], 2, "is for the transformer"),
        (["GOOD", "--learning-rate", "inf"], 2, "--learning-rate must be a finite number"),
        (["GOOD", "--models-dir", ""], 2, "The models folder must have a name"),
        (["GOOD", "--learning-rate", "nan"], 2, "--learning-rate"),
        (["GOOD", "--encoding", "klingon"], 2, "klingon"),
        (["GOOD", "--encoding", "\udcff"], 2, "--encoding must name a text encoding"),
        ([".hidden"], 2, "name the model with --name"),
        (["GOOD", "--resume"], 1, "no run to resume"),
        (["GOOD", "--text-column", "body"], 1, "--text-column needs a .csv"),
        (["rows.csv"], 1, "no column 'text'; name the one that holds the text"),
        (["GOOD", "--size", "huge"], 2, "'huge'"),
        (
            ["GOOD", "--time-budget", "soon"],
            2,
            "such as 90s, 10m or 1h. Received: 'soon'",
        ),
        (["GOOD", "--time-budget", "1h", "--resume"], 1, "no run to resume"),
        (["GOOD", "--time-budget", "2"], 2, "needs a unit: 2m?"),
        (["GOOD", "--epochs", "2", "--max-steps", "2"], 2, "--max-steps cannot be combined"),
        (["GOOD", "--dry-run", "--resume"], 2, "--dry-run cannot be combined with --resume"),
        (
            ["GOOD", "--dry-run", "--strategy", "multi-worker"],
            2,
            "cannot be combined with --strategy multi-worker",
        ),
    ],
)
def test_a_mistake_gets_one_sentence_and_leaves_nothing(
    run, tmp_path, arguments, status, message, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    files = {
        "EMPTY": b"",
        "BINARY": b"\x7fELF\0\0\0",
        "SHORT": b"a",
        "GOOD": CORPUS.encode(),
        ".hidden": CORPUS.encode(),
        "rows.csv": b"id,body\n1,one\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    result = run("train", *arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not list(tmp_path.glob("saved_models/*"))


@pytest.mark.slow
def test_byte_pairs_are_learned_and_written_with(run, tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("to be or not to be, that is the question. " * 60, "utf-8")
    command = ["train", corpus, *SMALL, "--models-dir", tmp_path]
    trained = run(*command, "--tokenizer", "bpe", "--vocab-size", "300")
    assert trained.exit_code == 0, trained.output
    shown = run("info", "corpus", "--models-dir", tmp_path)
    assert "bpe, " in shown.stdout
    # Characters the corpus lacks are no trouble: bytes spell them.
    written = run("generate", "☃ to", "-m", "corpus", "--models-dir", tmp_path, "--seed", "1")
    assert written.exit_code == 0
    assert written.stdout.startswith("☃ to")
    assert "never seen" not in written.stderr
    again = run(*command, "--tokenizer", "character", "--vocab-size", "300")
    assert again.exit_code == 2
    assert "--vocab-size needs the tokenizer bpe. Received: 'character'" in again.stderr


@without_graph
def test_a_column_of_a_table_is_a_corpus_whose_tokens_a_second_run_reuses(run, tmp_path):
    rows = "".join(f'{number},"The quick brown fox."\n' for number in range(60))
    (tmp_path / "rows.csv").write_text(f"id,body\n{rows}")
    command = ["train", tmp_path / "rows.csv", "--text-column", "body", *SMALL]
    assert run(*command, "--models-dir", tmp_path).exit_code == 0
    again = run(*command, "--models-dir", tmp_path, "--model", "lstm")
    assert again.exit_code == 0, again.output
    assert "reusing the previous run's tokens" in again.stderr
    assert "60 documents" in run("info", "rows", "--models-dir", tmp_path).output


def test_bytes_that_do_not_decode_are_named_with_their_offset(run, tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes(b"caf\xe9 " * 100)
    result = run("train", path, "--models-dir", tmp_path)
    assert result.exit_code == 1
    assert "latin.txt" in result.stderr
    assert "offset 3" in result.stderr
    assert "--encoding" in result.stderr


def test_a_models_folder_that_cannot_be_written_is_named(run, corpus, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "fox").write_text("in the way")
    result = run("train", corpus, *SMALL, "--models-dir", tmp_path / "models")
    assert result.exit_code == 1
    assert "models/fox" in result.stderr
    assert result.stderr.count("Error:") == 1


def test_a_model_that_is_in_training_is_named(run, corpus, tmp_path):
    with RunLock(ModelRuns(tmp_path / "fox")) as lock:
        lock.acquire()
        result = run("train", corpus, *SMALL, "--models-dir", tmp_path)
    assert result.exit_code == 1
    assert f"the model 'fox' is in progress in {tmp_path / 'fox'}" in result.stderr
    assert not list(tmp_path.iterdir())


@without_graph
def test_resume_refuses_other_settings_and_goes_on_with_more_steps(run, corpus, tmp_path):
    where = ["--models-dir", tmp_path]
    assert run("train", corpus, *SMALL, *where).exit_code == 0
    result = run("train", corpus, *where, "--resume", "--batch-size", 8)
    assert result.exit_code == 2
    assert "--batch-size cannot change" in result.stderr
    result = run("train", *where, "--name", "fox", "--resume")
    assert "already ended at step 6" in result.stderr
    result = run("train", *where, "--name", "fox", "--resume", "--max-steps", 9)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "fox" / "2").is_dir()


def start_until(shown, *arguments, program=("-c", TRAIN), **streams):
    """Start a training run; return its process when it has shown such a line."""
    process = subprocess.Popen(
        [sys.executable, *program, "train", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)},
        **streams,
    )
    for line in process.stderr:
        if line.startswith(shown):
            break
    return process


@pytest.mark.slow
def test_ctrl_c_once_stops_cleanly_and_exports(corpus, tmp_path):
    endless = ["--max-steps", "1000000", "--validate-every", "20", "--models-dir", tmp_path]
    process = start_until("step 20:", corpus, *SMALL, *endless)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, rest
    assert "Stopping" in rest
    assert "stopped by Ctrl-C" in rest
    assert (tmp_path / "fox" / "1" / "saved_model.pb").is_file()


@pytest.mark.slow
def test_ctrl_c_before_there_is_anything_to_save_ends_at_once(tmp_path):
    # Standard input says nothing and does not end.
    where = ["--models-dir", tmp_path]
    program = ("-m", "textgen.cli")
    process = start_until("reading", "-", *SMALL, *where, program=program, stdin=subprocess.PIPE)
    interrupt(process, signal.SIGINT)
    assert process.stderr.read().strip() == "Interrupted."
    assert process.returncode == 130
    assert not any(tmp_path.iterdir())


@without_graph
def test_a_model_is_trained_on_from_another(run, models, corpus, tmp_path):
    letters = tmp_path / "letters.txt"
    letters.write_text("The lazy dog jumps over the brown fox. " * 60, "utf-8")
    own = tmp_path / "models"
    shutil.copytree(models / "fox", own / "fox")
    command = ["train", letters, "--models-dir", own, "--name", "tuned", "--from", "fox"]
    options = ["--max-steps", "6", "--batch-size", "4", "--no-jit-compile"]
    result = run(*command, *options, "--replay", f"{corpus}:0.3", "--adapter-rank", "2")
    assert result.exit_code == 0, result.output
    assert re.search(r"^step 0: validation \d", result.stderr, re.MULTILINE)
    assert "begins from fox, with adapters of rank 2." in result.stderr
    assert re.search(r"^Trained \d+\.\d\d% of the weights\.$", result.stderr, re.MULTILINE)
    assert re.search(r"^Before training, the validation loss was \d", result.stderr, re.MULTILINE)
    assert (own / "tuned" / "1" / "assets.extra" / "adapter.npz").is_file()
    refused = run(*command, "--size", "tiny")
    assert refused.exit_code == 2
    assert "comes from the model to begin from, fox/1" in refused.stderr


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), ([], None)),
        (("old.txt",), (["old.txt"], None)),
        (("old.txt:0.2", "C:older.txt"), (["old.txt", "C:older.txt"], 0.2)),
    ],
)
def test_replay_names_files_and_one_fraction(values, expected):
    assert replayed(values) == expected

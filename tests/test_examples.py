"""The examples: their corpora are what they should be, and their scripts run to the end."""

import functools
import re
import runpy
import sys
from pathlib import Path

import pytest

import textgen

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
CORPORA = ["stories/fables.txt", "poems/english.txt", "poems/chinese.txt"]
QUATRAIN = re.compile(r"[\u4e00-\u9fff]{5}，[\u4e00-\u9fff]{5}。" * 2)


def documents(name: str) -> list[str]:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    separator = "\n" if name.endswith("chinese.txt") else "\n\n"
    return [document.strip() for document in text.split(separator) if document.strip()]


@pytest.mark.parametrize("name", CORPORA)
def test_corpus_is_large_enough_to_learn_from(name):
    assert (EXAMPLES / name).stat().st_size >= 30_000


@pytest.mark.parametrize("name", CORPORA)
def test_corpus_holds_no_document_twice(name):
    found = documents(name)
    assert len(found) >= 50
    assert len(set(found)) == len(found)


def test_every_chinese_line_is_a_quatrain():
    assert [line for line in documents("poems/chinese.txt") if not QUATRAIN.fullmatch(line)] == []


def test_every_fable_ends_with_a_sentence():
    assert [fable for fable in documents("stories/fables.txt") if fable[-1] not in '.!?"'] == []


def test_recipes_are_collected(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["collect.py", str(tmp_path / "recipes.txt")])
    runpy.run_path(str(EXAMPLES / "recipes" / "collect.py"), run_name="__main__")
    recipes = (tmp_path / "recipes.txt").read_text("utf-8").split("\n\n")
    assert len(set(recipes)) == 400


@pytest.fixture
def run_example(without_samples, tmp_path, monkeypatch, capsys):
    """Run an example's script to its end, with a model that trains without being compiled."""

    def run(script: str, *options: str) -> str:
        uncompiled = functools.partial(textgen.TrainingConfig, jit_compile=False)
        monkeypatch.setattr(textgen, "TrainingConfig", uncompiled)
        monkeypatch.chdir(tmp_path)
        given = ["--models-dir", str(tmp_path), "--size", "tiny", *options]
        monkeypatch.setattr(sys, "argv", [script, *given])
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        return capsys.readouterr().out

    return run


def endings(output: str) -> list[tuple[str, str]]:
    """Return the last character of each text shown, and why the text ended there."""
    return re.findall(r"(.)\n\[(stop|length)\] ", output)


TASKS = {
    "answer.py": r"Questions as learned: \d+ of 200 answered exactly",
    "summarize.py": r"Other reports: \d+ of 35 answered exactly",
    "translate.py": r"Phrases as learned: \d+ of 50 answered exactly",
    "judge.py": r"Other reviews: [\d.]+% of 12 are classified correctly",
    "serve_customers.py": r"Last answers as learned: \d+ of 10 exactly",
}


@pytest.mark.slow
@pytest.mark.parametrize("script", TASKS)
def test_a_task_is_learned_and_scored(run_example, monkeypatch, script):
    monkeypatch.syspath_prepend(EXAMPLES / "tasks")
    monkeypatch.setattr(textgen, "train", functools.partial(textgen.train, jit_compile=False))
    output = run_example(f"tasks/{script}", "--steps", "4")
    assert re.search(TASKS[script], output)


@pytest.mark.slow
def test_stories_are_told_to_their_end(run_example):
    output = run_example("stories/tell.py", "--steps", "30")
    assert f"Corpus: {len(documents('stories/fables.txt'))} fables" in output
    assert output.count("\nOnce upon a time") == len(endings(output)) == 4
    sentences = endings(output)[:3]
    assert (".", "stop") in sentences


@pytest.mark.slow
def test_chinese_poems_are_composed_to_their_end(run_example):
    options = ["--language", "chinese", "--steps", "30"]
    output = run_example("poems/compose.py", *options)
    assert f"Corpus: {len(documents('poems/chinese.txt'))} poems" in output
    assert output.count("\n明月") == len(endings(output)) == 6
    couplets = endings(output)[:3]
    assert ("。", "stop") in couplets


@pytest.mark.slow
def test_english_poems_are_composed(run_example):
    output = run_example("poems/compose.py", "--language", "english", "--steps", "30")
    assert f"Corpus: {len(documents('poems/english.txt'))} poems" in output
    assert len(re.findall(r"^\[(?:stop|length)\]", output, re.MULTILINE)) == 2


@pytest.mark.slow
def test_code_is_completed_to_its_end(run_example):
    output = run_example("code/complete.py", "--steps", "30")
    assert output.count("\ndef") >= len(endings(output)) == 6
    # So few steps may never reach a colon, but without documents nothing else stops a text.
    signatures = endings(output)[:4]
    assert all(last == ":" for last, reason in signatures if reason == "stop")

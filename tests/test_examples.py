"""The examples: their corpora are what they should be, and their scripts run to the end."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

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


def run_example(script: str, models_dir: Path, *options: str) -> str:
    command = [sys.executable, str(EXAMPLES / script), "--models-dir", str(models_dir)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    result = subprocess.run(
        [*command, "--size", "tiny", *options],
        capture_output=True,
        check=False,
        cwd=models_dir,
        encoding="utf-8",
        env=environment,
        timeout=PATIENCE,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def endings(output: str) -> list[tuple[str, str]]:
    """Return the last character of each text shown, and why the text ended there."""
    return re.findall(r"(.)\n\[(stop|length)\] ", output)


@pytest.mark.slow
def test_stories_are_told_to_their_end(tmp_path):
    output = run_example("stories/tell.py", tmp_path, "--steps", "30")
    assert f"Corpus: {len(documents('stories/fables.txt'))} fables" in output
    assert output.count("\nOnce upon a time") == len(endings(output)) == 4
    sentences = endings(output)[:3]
    assert (".", "stop") in sentences


@pytest.mark.slow
def test_chinese_poems_are_composed_to_their_end(tmp_path):
    options = ["--language", "chinese", "--steps", "30"]
    output = run_example("poems/compose.py", tmp_path, *options)
    assert f"Corpus: {len(documents('poems/chinese.txt'))} poems" in output
    assert output.count("\n明月") == len(endings(output)) == 6
    couplets = endings(output)[:3]
    assert ("。", "stop") in couplets


@pytest.mark.slow
def test_english_poems_are_composed(tmp_path):
    output = run_example("poems/compose.py", tmp_path, "--language", "english", "--steps", "30")
    assert f"Corpus: {len(documents('poems/english.txt'))} poems" in output
    assert len(re.findall(r"^\[(?:stop|length)\]", output, re.MULTILINE)) == 2


@pytest.mark.slow
def test_code_is_completed_to_its_end(tmp_path):
    output = run_example("code/complete.py", tmp_path, "--steps", "30")
    assert output.count("\ndef") >= len(endings(output)) == 6
    # So few steps may never reach a colon, but without documents nothing else stops a text.
    signatures = endings(output)[:4]
    assert all(last == ":" for last, reason in signatures if reason == "stop")

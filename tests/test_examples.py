"""The examples: their corpora are what they should be, and their scripts run to the end."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert len(found) >= 100
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
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def texts(output: str) -> list[tuple[str, str]]:
    """Return the texts of an example's output, each with its finish reason."""
    return re.findall(r"\n\n([^\n].*?)\n\[(stop|length)\] ", output, re.DOTALL)

"""`textgen evaluate`: figures, intervals, a verdict, and what goes wrong."""

import json
import shutil

import pytest


@pytest.fixture
def evaluate(run, models):
    def invoke(*arguments, **options):
        return run("evaluate", *arguments, "--models-dir", models, **options)

    return invoke


def test_a_table_and_a_verdict(evaluate):
    result = evaluate("fox")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("On the validation part of fox.txt:")
    assert "95 % intervals over 20 blocks; full context by sliding window" in lines[0]
    for title in ("bits per character", "next-token accuracy", "loss, windows *", "Kneser-Ney 5"):
        assert any(line.startswith(title) for line in lines), title
    assert lines[-1].endswith(").")
    assert "better" in lines[-1]


def test_names_are_models_and_other_words_are_files(evaluate, tmp_path):
    file = tmp_path / "[letter].txt"
    file.write_text("The quick brown fox. " * 9, "utf-8")
    result = evaluate("fox", file, "fox", "--json", "--no-baselines")
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    assert values["text"] == "[letter].txt"
    assert [model["name"] for model in values["models"]] == ["fox", "fox"]
    assert values["comparisons"][0]["bits_per_character"]["value"] == 0
    assert values["baselines"] == []


def test_rows_of_a_table_are_documents(evaluate, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("id,story\n" + "".join(f"{i},The quick fox {i}\n" for i in range(40)), "utf-8")
    values = json.loads(evaluate(file, "--text-column", "story", "--json").stdout)
    assert values["intervals"]["over"] == "documents"
    assert values["intervals"]["num"] == 40


def test_answers_are_compared_with_references(evaluate, tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"prompt": "The quick", "answer": " brown fox"}\n' * 3, "utf-8")
    result = evaluate("fox", file, "--references", "--max-new-tokens", "5")
    assert result.exit_code == 0, result.output
    titles = [line.split()[0] for line in result.stdout.splitlines()[2:]]
    assert titles == ["BLEU", "chrF", "ROUGE-L", "exact", "F1"]


def test_a_saved_evaluation_is_shown_by_info(evaluate, run, models, tmp_path):
    shutil.copytree(models, tmp_path / "m")
    where = ["--models-dir", tmp_path / "m"]
    assert "Evaluated:" not in run("info", "fox", *where).stdout
    result = run("evaluate", "fox", "--no-baselines", "--save", *where)
    assert f"Saved in {tmp_path / 'm' / 'fox' / 'evaluations.jsonl'}" in result.stderr
    (line,) = (t for t in run("info", "fox", *where).stdout.splitlines() if "Evaluated:" in t)
    assert "bits per character (" in line
    assert "on the validation part of fox.txt" in line


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["wolf"], 1, "There is neither a model nor a file 'wolf'. Models in"),
        (["--max-characters", "0"], 2, "--max-characters must be at least 1. Received: 0"),
        (["--part", "test"], 1, "fox was trained without a test part: name a file"),
        (["--references"], 2, "--references needs a table"),
    ],
)
def test_a_mistake_gets_one_sentence(evaluate, arguments, status, message):
    result = evaluate(*arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stdout == ""

"""`textgen inspect`: facts, findings with the options that help, and the plan."""

import json

import pytest

from tests.cli.conftest import SMALL


@pytest.fixture
def messy(tmp_path):
    path = tmp_path / "messy.txt"
    path.write_text("Write to ada@example.org today, please.\n" * 30, "utf-8")
    return path


def test_what_helps_is_named(run, messy):
    result = run("inspect", messy, "--no-plan", "--split-documents", "line")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("messy.txt\n  Size:")
    assert "Copies of earlier documents: 29 exact" in result.stdout
    assert "(--deduplicate)" in result.stdout
    assert "(--redact email)" in result.stdout
    assert "ada@example.org" not in "".join(
        line for line in result.stdout.splitlines() if line.strip().startswith("email:")
    )


def test_json_has_all_of_it(run, messy):
    values = json.loads(run("inspect", messy, "--json").stdout)
    assert values["facts"]["lines"] == 31
    assert {finding["kind"] for finding in values["findings"]} >= {"personal data"}


@pytest.mark.usefixtures("without_samples", "without_graph")
def test_training_does_what_was_advised(run, messy, tmp_path):
    small = [*SMALL, "--validation-split", "0"]
    models = tmp_path / "models"
    result = run("train", messy, *small, "--redact", "email,phone", "--models-dir", models)
    assert result.exit_code == 0, result.output
    card = json.loads(run("info", "messy", "--json", "--models-dir", models).stdout)
    assert card["corpus"]["edits"] == {"email": 30}
    assert card["corpus"]["config"]["redact"] == ["email", "phone"]
    characters = json.loads(
        (models / "messy" / "1" / "assets.extra" / "tokenizer.json").read_text()
    )
    assert "@" not in characters["characters"]


def test_a_mistake_gets_one_sentence(run, tmp_path):
    result = run("inspect", tmp_path / "nowhere.txt")
    assert result.exit_code == 1
    assert "No such file or folder" in result.stderr
    result = run("train", tmp_path, "--redact", "names")
    assert result.exit_code == 2
    assert (
        "--redact must be one or more of email, iban, id, card, phone, ip. Received: 'names'"
        in result.stderr
    )

"""A model that learns answers, from a table to the answer of a question."""

import json

import pytest

from tests.cli.conftest import ANSWERS, COLUMNS, SMALL, write_answers
from textgen.catalog import Catalog
from textgen.inference import load

pytestmark = pytest.mark.usefixtures("stays_open")


def test_a_question_is_answered_and_the_answer_ends(run, faq_models):
    for question, answer in ANSWERS.items():
        options = ["--temperature", "0", "--models-dir", faq_models]
        result = run("generate", "-m", "faq", question, *options)
        assert result.stdout == f"{answer}\n"


def test_raw_prompts_are_continued_as_they_stand(run, faq_models):
    options = ["--temperature", "0", "--models-dir", faq_models]
    result = run("generate", "-m", "faq", "--raw", "> Who are you?\nA", *options)
    assert result.stdout == "> Who are you?\nA fox.\n"


def test_python_streams_and_searches_apply_the_template_too(faq_models):
    with load("faq", faq_models) as model:
        (first, second) = model.generate_batch([*ANSWERS][:2], temperature=0.0)
        assert (first.text, second.text) == ("A fox.", "An apple.")
        assert first.prompt == "Who are you?"
        assert "".join(model.stream("What is blue?", temperature=0.0)) == "The sky."
        assert model.search("What is red?", num_beams=2).text == "An apple."


def test_a_model_that_answers_talks(run, faq_models):
    options = ["--temperature", "0", "--models-dir", faq_models]
    result = run("chat", "-m", "faq", *options, input="What is red?\n")
    assert "An apple." in result.stdout


def test_only_answers_are_evaluated(run, faq_models):
    table = faq_models / "faq.jsonl"
    result = run("evaluate", "faq", table, "--json", "--models-dir", faq_models)
    found = json.loads(result.stdout)
    assert found["num_characters"] == sum(map(len, ANSWERS.values()))
    assert found["models"][0]["accuracy"]["value"] > 0.9
    assert found["models"][0]["losses"] == {}
    assert "Only answers count" in found["notes"][0]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["-i"], "answers prompts: use textgen chat, or --raw"),
        (["--label", "poem"], "--label needs a model that was trained with labels"),
    ],
)
def test_what_does_not_fit_a_model_that_answers_is_one_sentence(
    run, faq_models, arguments, problem
):
    result = run("generate", "-m", "faq", "Who?", *arguments, "--models-dir", faq_models)
    assert result.exit_code == 2
    assert problem in result.stderr


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{{ prompt", "refuses"),
        ("Q: ", "--template must contain the prompt"),
        ("{% include '/etc/passwd' %}{{ prompt }}", "no loader"),
    ],
)
def test_a_template_that_cannot_be_used_leaves_nothing_behind(run, tmp_path, template, problem):
    table = write_answers(tmp_path / "faq.jsonl")
    models = tmp_path / "models"
    result = run("train", table, *COLUMNS, *SMALL, "--template", template, "--models-dir", models)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert Catalog(models).entries() == []
    assert not list(models.glob("*/train"))

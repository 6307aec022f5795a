"""`textgen chat`, with a model that knows three answers."""

import json

import pytest

from tests.cli.conftest import ANSWERS
from textgen.errors import ConfigError
from textgen.inference import load
from textgen.inference.dialogue import Chat

pytestmark = pytest.mark.usefixtures("stays_open")

GREEDY = ["--temperature", "0", "-n", "12"]


@pytest.fixture
def talk(run, faq_models):
    """Type some lines, and return what `textgen chat` did."""

    def talk(*lines, options=()):
        typed = "".join(f"{line}\n" for line in lines)
        arguments = ["-m", "faq", *GREEDY, *options, "--models-dir", faq_models]
        return run("chat", *arguments, input=typed)

    return talk


def test_every_message_is_answered(talk):
    result = talk(*(line for question in ANSWERS for line in (question, "/clear")))
    assert result.exit_code == 0
    for answer in ANSWERS.values():
        assert answer in result.stdout


def test_a_history_is_kept_and_continued(talk, tmp_path):
    path = tmp_path / "history.json"
    questions = [*ANSWERS]
    talk(questions[0], options=["--history", path])
    talk("/undo", questions[1], options=["--history", path])
    kept = json.loads(path.read_text("utf-8"))
    assert [each["role"] for each in kept] == ["user", "assistant"]
    assert kept[0]["content"] == questions[1]


def test_a_message_may_have_several_lines(talk, tmp_path):
    path = tmp_path / "history.json"
    talk("Who\\", "are you?", options=["--history", path])
    assert json.loads(path.read_text("utf-8"))[0]["content"] == "Who\nare you?"


def test_ctrl_c_ends_an_answer_and_the_dialogue_goes_on(talk, monkeypatch, tmp_path):
    answer = Chat.answer

    def interrupted(chat, messages, config):
        chunks = iter(answer(chat, messages, config))
        if len(messages) == 1:
            yield next(chunks)
            raise KeyboardInterrupt
        yield from chunks

    monkeypatch.setattr(Chat, "answer", interrupted)
    path = tmp_path / "history.json"
    result = talk("Who are you?", "What is red?", options=["--history", path])
    assert result.exit_code == 0  # Ctrl-C ended the answer, not the program
    kept = json.loads(path.read_text("utf-8"))
    assert [each["role"] for each in kept] == ["user", "assistant"] * 2
    assert ANSWERS["Who are you?"].startswith(kept[1]["content"])
    assert kept[1]["content"] != ANSWERS["Who are you?"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[{"role": "assistant", "content": "Hi"}]', "must not begin with the assistant"),
        ("{", "is not a dialogue"),
        ("7", "is not a dialogue"),
    ],
)
def test_a_file_that_is_no_dialogue_is_refused_and_kept(talk, tmp_path, content, problem):
    path = tmp_path / "history.json"
    path.write_text(content)
    result = talk("Who are you?", options=["--history", path])
    assert result.exit_code == 2
    assert problem in result.stderr
    assert path.read_text() == content


def test_the_oldest_turns_are_left_out_first(faq_models):
    said = [
        {"role": role, "content": f"{n} {role[0]}"}
        for n in range(9)
        for role in ("user", "assistant")
    ]
    asked = {"role": "user", "content": "Who are you?"}
    with load("faq", faq_models) as model, Chat(model) as chat:
        short = chat.prompt([*said[:2], asked], 2)
        assert short == "> 0 u\n0 a\n> Who are you?\n"
        system = {"role": "system", "content": "Be."}
        prompt = chat.prompt([system, *said, asked], 2)
        assert prompt.startswith("# Be.\n> ")
        assert prompt.endswith("> Who are you?\n")
        assert "0 u" not in prompt
        with pytest.raises(ConfigError, match="must leave room for an answer"):
            chat.prompt([{"role": "user", "content": "Who are you? " * 9}], 2)


def test_commands_end_undo_and_explain(talk):
    result = talk("/nonsense", "/help", "/quit", "Who are you?")
    assert "There is no command /nonsense" in result.stderr
    assert "Ctrl-C ends an answer" in result.stderr
    assert ANSWERS["Who are you?"] not in result.stdout

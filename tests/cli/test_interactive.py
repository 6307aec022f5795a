"""`textgen generate --interactive`, its answers through a pipe."""

import re

import pytest

from tests.cli.conftest import CORPUS


@pytest.fixture
def write(run_on_fox):
    """Answer line by line; return the printed text, and all proposals in rounds."""

    def invoke(*answers, arguments=("The ",), end="\n"):
        result = run_on_fox(
            *("generate", "-i", "--seed", 3, *arguments),
            input="\n".join(answers) + end,
        )
        assert result.exit_code == 0, result.output
        rounds = [
            dict(re.findall(r"^ *(\d)\|(.*)$", part, re.MULTILINE))
            for part in re.split(r"^> ", result.stderr, flags=re.MULTILINE)
        ]
        return result.stdout, rounds, result.stderr

    return invoke


def test_a_number_takes_a_proposal(write):
    text, rounds, _ = write("2", "1", "q")
    assert set(rounds[0]) == {"1", "2", "3", "4"}
    assert text.startswith("The " + rounds[0]["2"].replace(r"\n", "\n"))
    assert len(text) > len("The " + rounds[0]["2"])


def test_the_same_seed_and_answers_write_the_same_text(write):
    assert write("2", "", "1", "q") == write("2", "", "1", "q")


def test_enter_asks_for_other_proposals(write):
    text, rounds, _ = write("", "q")
    assert text == "The \n"
    assert not set(rounds[0].values()) & set(rounds[1].values())


def test_own_text_is_added_as_it_stands_and_may_be_taken_back(write):
    text, *_ = write(" 明 x", "+q", r"\nover", "u", "u", "u", "u", "+2", "q")
    assert text == "The 2\n"
    assert write(" 明 x", "+q", r"\nover", "q")[0] == "The  明 xq\nover\n"


def test_the_end_of_the_answers_is_the_end_of_the_text(write):
    assert write("own", end="")[0] == "The own\n"
    assert write(end="")[0] == "The \n"


def test_a_number_without_a_proposal_is_said_and_adds_nothing(write):
    text, _, errors = write("7", "q", arguments=("The ", "--num-samples", 2))
    assert text == "The \n"
    assert "There is no proposal 7; +7 adds it to the text." in errors


def test_control_characters_are_printed_as_they_are_but_shown_as_escapes(write):
    text, _, errors = write("\x1b[1m\t明", "q")
    assert text == "The \x1b[1m\t明\n"
    assert "\nThe \\x1b[1m\\t明\n" in errors


def test_the_whole_paragraph_is_in_sight_in_a_narrow_window(write, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    words = " lazy dog" * 12
    _, _, errors = write(r"\nover", words, "q")
    shown = errors.rpartition("\nover")[2].partition("|")[0].splitlines()[:-1]
    assert " ".join(shown).split() == words.split()
    assert len(shown) > 2
    assert all(len(line) <= 40 for line in shown)


def test_a_question_mark_shows_help_and_may_be_written(write):
    text, _, errors = write("?", "+?", "q")
    assert text == "The ?\n"
    assert "removes the last addition" in errors


def test_the_text_is_saved_as_it_grows_and_continued_from_there(run, write, tmp_path):
    path = tmp_path / "fox.txt"
    write(" own", " lazy", "u", "q", arguments=("The", "--save", path))
    assert path.read_text("utf-8") == "The own"
    assert write(" dog", "q", arguments=("--save", path))[0] == "The own dog\n"
    assert path.read_text("utf-8") == "The own dog"
    assert run("generate", "-i", "Another", "--save", path).exit_code == 2
    assert run("generate", "The", "--save", path).exit_code == 2


def test_without_echo_only_what_is_new_is_printed(write):
    assert write("own", "q", arguments=("The ", "--no-echo"))[0] == "own\n"


def test_where_nothing_can_be_proposed_one_may_write_on(write):
    text, _, errors = write("own", "q", arguments=("The ", "--ban", "abcdefghijklmnopqrstuvwxyz T"))
    assert text == "The own\n"
    assert "proposes nothing" in errors or "|" in errors


def test_where_no_token_is_left_the_text_so_far_is_printed_and_the_reason_said(run, models):
    excluded = ("--ban", CORPUS, "--models-dir", models)
    result = run("generate", "-i", "The ", *excluded, input="own\n")
    assert result.exit_code == 1
    assert "Error: No token was left to choose: --ban" in result.stderr
    assert "the text ends here" not in result.stderr
    assert result.stdout == "The \n"


def test_an_unseen_character_in_own_text_is_named(write):
    assert "U+2603 SNOWMAN" in write("☃", "q")[2]


def test_standard_input_cannot_hold_the_prompt_too(run):
    result = run("generate", "-i", "-", input="a")
    assert result.exit_code == 2
    assert "standard input cannot be the prompt" in result.stderr

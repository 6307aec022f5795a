"""Searching for a text from the command line."""

import functools
import json

import pytest


@pytest.fixture
def write(run_on_fox):
    return functools.partial(run_on_fox, "generate")


@pytest.mark.parametrize("search", [("--num-beams", 3), ("--penalty-alpha", 0.5)])
def test_a_search_writes_one_text_and_needs_no_seed(write, search):
    first, second = (write("The ", "-n", 12, *search) for _ in range(2))
    assert first.exit_code == 0, first.output
    assert first.stdout == second.stdout
    assert first.stdout.startswith("The ")
    result = json.loads(write("The ", "-n", 12, *search, "--json").stdout)
    assert "The " + result["text"] + "\n" == first.stdout
    assert "seed" not in result


def test_a_stop_string_ends_a_search(write):
    free = write("The ", "-n", 12, "--num-beams", 1).stdout.removeprefix("The ").rstrip("\n")
    stopped = write("The ", "-n", 12, "--num-beams", 1, "--stop", free[3])
    assert stopped.stdout == "The " + free[: free.index(free[3]) + 1] + "\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--num-beams", 3, "--temperature", 0.5),
            "--num-beams cannot be combined with --temperature.",
        ),
        (
            ("--num-beams", 3, "--penalty-alpha", 0.5),
            "--num-beams cannot be combined with --penalty-alpha.",
        ),
        (("--penalty-alpha", 0.5, "--seed", 1), "--penalty-alpha cannot be combined with --seed."),
        (("--num-beams", 3, "--top-k", 2), "--num-beams cannot be combined with --top-k."),
        (("--num-beams", 3, "-i"), "--num-beams cannot be combined with --interactive."),
        (("--length-penalty", 2), "--length-penalty needs --num-beams."),
        (("--num-beams", 0), "--num-beams must be an integer in [1, 64]. Received: 0"),
        (("--penalty-alpha", 1.5), "--penalty-alpha must be in [0, 1]. Received: 1.5"),
    ],
)
def test_what_does_not_go_together_is_refused(write, arguments, sentence):
    result = write("The ", *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr

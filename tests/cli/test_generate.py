"""`textgen generate`: prompts, stops, samples, JSON, and what goes wrong."""

import functools
import itertools
import json
import re
import shutil
import subprocess
import sys

import pytest

from tests.cli.conftest import CORPUS, WRITES_ESCAPE
from textgen.config import SamplingConfig


@pytest.fixture
def write(run_on_fox):
    return functools.partial(run_on_fox, "generate")


def test_the_text_follows_the_prompt_and_a_seed_repeats_it(write):
    first, second = (write("The ", "-n", 20, "--seed", 4) for _ in range(2))
    assert first.exit_code == 0, first.output
    assert first.stdout == second.stdout
    assert first.stdout.startswith("The ")
    assert len(first.stdout) == len("The ") + 20 + len("\n")


def test_no_echo_leaves_the_prompt_out(write):
    whole = write("The ", "-n", 20, "--seed", 4).stdout
    assert write("The ", "-n", 20, "--seed", 4, "--no-echo").stdout == whole.removeprefix("The ")


def test_a_prompt_longer_than_the_context_is_said(write):
    result = write("The quick brown fox", "-n", 2)
    assert "The model sees the last 7 of the prompt's 19 characters." in result.stderr
    assert "sees the last" not in write("The qui", "-n", 2).stderr


def test_a_prompt_may_come_from_standard_input(write):
    piped = write("-n", 5, "--seed", 1, input="The quick\n")
    assert piped.stdout == write("The quick", "-n", 5, "--seed", 1).stdout
    assert write("-n", 5, "--seed", 1, input="").exit_code == 0


def test_json_is_an_object_a_line_with_everything_needed_to_repeat_it(write):
    result = write("The ", "-n", 8, "--seed", 7, "--num-samples", 3, "--json")
    samples = [json.loads(line) for line in result.stdout.splitlines()]
    assert [sample["seed"] for sample in samples] == [7, 8, 9]
    assert {sample["finish_reason"] for sample in samples} == {"length"}
    again = write("The ", "-n", 8, "--seed", 8, "--json")
    assert json.loads(again.stdout) == samples[1]


def test_many_samples_are_written_a_batch_at_a_time_with_the_same_seeds(write, monkeypatch):
    arguments = ("The ", "-n", 8, "--seed", 2**63 - 2, "--num-samples", 5, "--json")
    at_once = write(*arguments).stdout
    monkeypatch.setattr("textgen.cli.generate._SAMPLES_PER_BATCH", 2)
    assert write(*arguments).stdout == at_once
    unseeded = write(*arguments[:3], *arguments[5:]).stdout.splitlines()
    seeds = [json.loads(line)["seed"] for line in unseeded]
    assert seeds == [seeds[0] + i for i in range(5)]


def test_stop_ends_the_text(write):
    text = write("The ", "-n", 60, "--seed", 4, "--no-echo", "-t", 2).stdout
    stop = text[10:12]
    ended = write("The ", "-n", 60, "--seed", 4, "--no-echo", "-t", 2, "--stop", stop).stdout
    assert ended == text[: text.index(stop) + 2] + "\n"


def test_a_stream_is_the_text(write):
    arguments = ("The ", "-n", 60, "--seed", 4)
    assert write(*arguments, "--stream").stdout == write(*arguments, "--no-stream").stdout


@pytest.mark.parametrize("form", ["--stream", "--no-stream"])
def test_a_pipe_gets_control_characters_as_they_are(write, form):
    result = write("\r\x9b", form, *WRITES_ESCAPE)
    assert result.stdout == "\r\x9b" + "\x1b[m\n"
    assert json.loads(write("", "--json", *WRITES_ESCAPE).stdout)["text"] == "\x1b[m"


def test_every_setting_has_a_flag(run):
    page = run("generate", "--help").stdout
    for name in SamplingConfig().to_dict():
        flag = name.replace("_", "-").replace("banned", "ban")
        assert f"--{flag} " in page


@pytest.mark.parametrize("width", [60, 80])
def test_help_fits_a_narrow_terminal(run, width):
    lines = run("generate", "--help", env={"COLUMNS": str(width)}, terminal_width=width).stdout
    assert max(map(len, lines.splitlines())) <= width
    titles = [line for line in lines.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles[:2] == ["Options:", "Output:"]


def test_flags_reach_the_model(write):
    free = write("The ", "-n", 40, "--seed", 4, "--no-echo").stdout
    first = free[0]
    banned = write("The ", "-n", 40, "--seed", 4, "--no-echo", "--ban", first, "--ban", "q").stdout
    assert not {first, "q"} & set(banned)
    biased = write("The ", "-n", 40, "--no-echo", "--logit-bias", "q=99", "--logit-bias", "==1")
    assert biased.stdout == "q" * 40 + "\n"
    unlike = write("The ", "-n", 40, "--seed", 4, "--no-echo", "--no-repeat-ngram-size", 1).stdout
    assert len(set(unlike.strip("\n"))) > len(set(free.strip("\n")))


def test_escapes_are_understood_in_every_text(write):
    biased = write("The ", "-n", 9, "--no-echo", "--logit-bias", r"\n=99")
    assert biased.stdout == "\n" * 10
    stopped = write("The ", "-n", 9, "--no-echo", "--logit-bias", r"\n=99", "--stop", r"\n\n")
    assert stopped.stdout == "\n" * 3
    banned = write("The ", "-n", 40, "--no-echo", "--ban", r"\n", "-t", 2)
    assert banned.stdout.count("\n") == 1


def test_what_ban_and_logit_bias_do_with_a_word_is_said(write):
    result = write("The ", "-n", 1, "--ban", "class")
    assert result.stderr == (
        "--ban bans characters, here 'c', 'l', 'a', 's'. "
        "To exclude only the whole text, use --avoid 'class'.\n"
    )
    result = write("The ", "-n", 1, "--logit-bias", "dog=-100")
    assert result.stderr == (
        "--logit-bias: 'dog' is several tokens, and each gets the bias: 'd', 'o', 'g'.\n"
    )
    assert write("The ", "-n", 1, "--ban", "c", "--logit-bias", "d=-100").stderr == ""


def test_what_must_not_and_must_appear(write, tmp_path):
    free = write("The ", "-n", 40, "--seed", 4, "--no-echo").stdout
    pairs = [*map("".join, itertools.pairwise(free))]
    pairs = [pair for pair in pairs if pair.isprintable() and " " not in pair]
    first, second, letter = pairs[0], pairs[-1], pairs[len(pairs) // 2][0]
    file = tmp_path / "phrases.txt"
    file.write_text(f"{second}\n\n{letter}\n", "utf-8")
    text = write(
        *("The ", "-n", 40, "--seed", 4, "--no-echo", "--avoid-file", file),
        *("--avoid", first.upper(), "--avoid-regex", "z.", "--ignore-case"),
    ).stdout
    assert not any(phrase in text for phrase in (first, second, letter))
    verse = write("The ", "-n", 60, "--no-echo", "--acrostic", "Tee").stdout
    assert [line[0].lower() for line in verse.strip("\n").split("\n")] == ["t", "e", "e"]
    assert re.fullmatch("[the]{5}", write("a", "--no-echo", "--regex", "[the]{5}").stdout.strip())
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "integer"}', "utf-8")
    # The model knows no digit.
    impossible = write("The ", "--json-schema", schema)
    assert "--json-schema must leave a text that the model can" in impossible.stderr
    refused = write("The ", "--num-beams", 2, "--avoid-file", file)
    assert refused.stderr.count("--num-beams cannot be combined with --avoid-file.") == 1
    impossible = write("The ", "--json-schema", '{"type": "integer"}')
    assert "--json-schema must leave a text that the model can" in impossible.stderr
    for option, rule in (
        ("--regex", "a regular expression"),
        ("--avoid-regex", "regular expressions"),
    ):
        wrong = write("The ", option, "(")
        fault = "missing ), unterminated subpattern at position 0"
        assert wrong.stderr.strip() == f"Error: {option} must be {rule} ({fault}). Received: '('"
    file.write_text("[]", "utf-8")
    wrong = write("The ", "--json-schema", file)
    assert "Error: --json-schema must be a JSON schema, which is an object." in wrong.stderr


def test_json_tells_probabilities_only_if_asked(write):
    plain = json.loads(write("The ", "-n", 3, "--seed", 7, "--json").stdout)
    assert list(plain) == ["model", "prompt", "text", "finish_reason", "num_tokens", "seed"]
    asked = json.loads(write("The ", "-n", 3, "--seed", 7, "--json", "--logprobs", 2).stdout)
    assert [*asked] == [*plain, "logprobs", "top_logprobs"]
    assert "".join(token["token"] for token in asked["logprobs"]) == asked["text"]
    assert [len(top) for top in asked["top_logprobs"]] == [2, 2, 2]


@pytest.mark.parametrize("form", ["--stream", "--no-stream", "--json"])
def test_a_text_for_which_no_token_is_left_ends_with_a_sentence(write, form):
    result = write("The ", form, "--ban", CORPUS)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: No token was left to choose: --ban")
    assert result.stderr.count("\n") == 1


def test_unseen_characters_are_named_and_nothing_crashes(write):
    result = write("☃ The 龘", "-n", 5)
    assert result.exit_code == 0
    assert "'☃' (U+2603 SNOWMAN)" in result.stderr
    assert "U+9F98" in result.stderr
    assert result.stdout.startswith("☃ The 龘")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--top-p", "1.7"], 2, "--top-p must be in (0, 1]. Received: 1.7"),
        (["--top-p", "nan"], 2, "--top-p must be in (0, 1]. Received: nan"),
        (
            ["--temperature", "-1"],
            2,
            "--temperature must be a finite number >= 0. Received: -1.0",
        ),
        (["--top-k", "-1"], 2, "--top-k"),
        (["-n", "0"], 2, "--max-new-tokens"),
        (["--seed", "-3"], 2, "seed"),
        (["--stop", ""], 2, "stop"),
        (["-m", "wolf"], 1, "Models there: fox"),
        (["--temperature", "warm"], 2, "not a valid float"),
        (["--logit-bias", "a"], 2, "must be TEXT=NUMBER. Received: 'a'"),
        (["--logit-bias", "=2"], 2, "--logit-bias must be pairs of non-empty strings and numbers"),
        (
            ["--logit-bias", "a=nan"],
            2,
            "--logit-bias must be pairs of non-empty strings and numbers",
        ),
        (["--max-time", "0"], 2, "--max-time must be a finite number > 0. Received: 0.0"),
        (["--min-new-tokens", "201"], 2, "--min-new-tokens must be at most --max-new-tokens"),
        (["--logprobs", "3"], 2, "--logprobs needs --json"),
        (["--stream", "--json"], 2, "--stream prints a single text"),
        (["--stream", "--num-samples", "2"], 2, "--stream prints a single text"),
        (["--interactive", "--json"], 2, "--interactive cannot be combined"),
    ],
)
def test_a_mistake_gets_one_sentence(write, arguments, status, message):
    result = write("The", *arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output


def test_a_prompt_that_is_not_utf8_is_refused_with_its_offset(write):
    result = write(input=b"ab\xff")
    assert result.exit_code == 1
    assert "0xff at offset 2" in result.stderr


def test_standard_input_that_never_ends_is_refused(write, monkeypatch):
    monkeypatch.setattr("textgen.cli.generate._MAX_PROMPT_BYTES", 10)
    result = write(input=b"a fox " * 9)
    assert result.exit_code == 2
    assert "must have 10 bytes or fewer" in result.stderr


def test_a_prompt_of_a_windows_pipe_is_the_same_prompt(write):
    options = ("-n", 5, "--seed", 1)
    plain = write(*options, input=b"The\nquick\n")
    assert write(*options, input=b"\xef\xbb\xbfThe\r\nquick\r\n").stdout == plain.stdout
    wide = write(*options, input="The quick".encode("utf-16-le"))
    assert "standard input: NUL byte at offset 1" in wide.stderr


def test_an_option_that_can_never_act_is_named_once(write):
    result = write("The", "-n", 5, "--stop", "☃", "--ban", "☃", "--num-samples", 2)
    assert result.exit_code == 0
    assert result.stderr.count("has no effect") == 2
    assert "Warning: --stop '☃' has no effect" in result.stderr


@pytest.mark.parametrize("victim", ["saved_model.pb", "variables/variables.index"])
def test_a_damaged_model_is_named(run, models, tmp_path, victim):
    copy = tmp_path / "fox"
    shutil.copytree(models / "fox" / "1", copy)
    (copy / victim).write_bytes(b"damaged")
    result = run("generate", "The", "-m", copy)
    assert result.exit_code == 1
    assert str(copy) in result.stderr
    assert "Traceback" not in result.output


def test_debug_shows_the_traceback(run, models):
    result = run("--debug", "generate", "-m", "wolf", "--models-dir", models)
    assert result.exception is not None
    assert "wolf" in str(result.exception)


def test_neither_tensorflow_nor_keras_is_imported(models):
    code = (
        "import sys; from textgen.cli.main import cli; "
        f"cli(['generate', 'The', '-n', '3', '--models-dir', {str(models)!r}], "
        "standalone_mode=False); "
        "sys.exit(any(name.split('.')[0] in ('tensorflow', 'keras') for name in sys.modules))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stderr == ""

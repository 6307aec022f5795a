"""`textgen score`: files, standard input, JSON, and what goes wrong."""

import functools
import json
import math
import re
import subprocess
import sys

import pytest

from textgen.inference import load

TEXT = "The quick brown fox 明月光。\n"


@pytest.fixture
def score(run_on_fox):
    return functools.partial(run_on_fox, "score")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "known.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_line_a_file_in_columns(score, file, tmp_path):
    other = tmp_path / "a long name with spaces.txt"
    other.write_text("zzzzz", encoding="utf-8")
    result = score(file, other)
    assert result.exit_code == 0, result.output
    title, first, second, total = result.stdout.splitlines()
    assert title.split() == [
        *("Chars", "Tokens", "Logprob", "Perplexity", "Bits/char", "Bits/byte", "File")
    ]
    assert first.endswith(f"  {file}")
    assert second.endswith(f"  {other}")
    assert total.endswith("  total of 2 files")
    sums = [int(line.split()[0]) for line in (first, second, total)]
    assert sums[0] + sums[1] == sums[2]
    assert title.index("File") == first.index(str(file)) == second.index(str(other))


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "there is no text"), (b"ab\xff", "0xff at offset 2")]
)
def test_what_is_scored_is_shown_though_a_later_file_fails(score, file, tmp_path, content, message):
    bad = tmp_path / "zzz.txt"
    bad.write_bytes(content)
    result = score(file, bad, file)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stdout == score(file).stdout


def test_json_has_the_numbers_of_the_library(score, file, models):
    values = json.loads(score(file, "--json").stdout)
    with load("fox", models) as model:
        wanted = model.score(TEXT)
    assert values == {
        "model": "fox",
        "file": str(file),
        "num_characters": len(TEXT),
        "num_bytes": len(TEXT.encode()),
        "num_tokens": wanted.num_tokens,
        "logprob": wanted.logprob,
        "bits": wanted.bits,
        "perplexity": wanted.perplexity,
        "bits_per_character": wanted.bits_per_character,
        "bits_per_byte": wanted.bits_per_byte,
    }
    bits = values["bits_per_byte"] * values["num_bytes"]
    assert bits == pytest.approx(-values["logprob"] / math.log(2))


def test_the_rows_of_a_table_are_added_up(score, tmp_path, models):
    table = tmp_path / "a.csv"
    table.write_text("id,story\n1,The fox\n2,The dog\n", encoding="utf-8")
    values = json.loads(score(table, "--text-column", "story", "--json").stdout)
    with load("fox", models) as model:
        scores = [model.score(text) for text in ("The fox", "The dog")]
    assert values["num_characters"] == 14
    assert values["logprob"] == pytest.approx(sum(each.logprob for each in scores))


def test_what_a_text_teaches_is_in_the_same_table(score, file, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("fox fox fox fox fox fox fox fox fox fox", encoding="utf-8")
    title, *rows = score(file, other, "--adapt").stdout.splitlines()
    assert title.split() == ["Chars", "Tokens", "Bits/char", "Adapting", "Gain", "File"]
    numbers = [[float(cell) for cell in row.split()[:5]] for row in rows]
    for _, _, fixed, adapting, gain in numbers:
        assert gain == pytest.approx(fixed - adapting, abs=2e-3)
    assert numbers[2][:2] == [numbers[0][i] + numbers[1][i] for i in range(2)]
    plain, adapted = (json.loads(score(file, "--json", *more).stdout) for more in ([], ["--adapt"]))
    assert adapted.keys() - plain.keys() == {
        *("adapting_bits", "adapting_bits_per_character", "gain")
    }
    assert adapted["bits"] == pytest.approx(plain["bits"], rel=1e-4)
    refused = score(file, "--adapt", "--heat")
    assert "--heat cannot be combined with --json or --adapt." in refused.stderr


def test_heat_prints_the_text_and_colors_what_surprises(score, file):
    plain = score(file, "--heat")
    assert plain.stdout == TEXT + "\n"
    assert "surprise per token" in plain.stderr
    colored = score(file, "--heat", color=True).stdout
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == plain.stdout


def test_standard_input_is_a_file_like_others(score, file):
    piped = json.loads(score("--json", input=TEXT).stdout)
    assert piped["file"] == "standard input"
    assert piped["logprob"] == json.loads(score(file, "--json").stdout)["logprob"]
    assert json.loads(score("-", "--json", input=TEXT).stdout) == piped


def test_unseen_characters_are_named(score):
    said = score(input="The ☃\t").stderr
    assert "never seen '☃' (U+2603 SNOWMAN), '\\t' (U+0009)." in said


@pytest.mark.parametrize(
    ("arguments", "content", "status", "message"),
    [
        ([], b"", 1, "standard input: there is no text to score"),
        ([], b"ab\xff", 1, "0xff at offset 2"),
        (["nowhere.txt"], b"", 1, "No such file or folder: 'nowhere.txt'"),
        (["--encoding", "morse"], b"a", 2, "encoding must name a text encoding"),
        (["-m", "wolf"], b"a", 1, "Models there: fox"),
    ],
)
def test_a_mistake_gets_one_sentence(score, arguments, content, status, message):
    result = score(*arguments, input=content)
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stdout == ""


def test_neither_tensorflow_nor_keras_is_imported(models, file):
    code = (
        "import sys; from textgen.cli.main import cli; "
        f"cli(['score', {str(file)!r}, '--models-dir', {str(models)!r}], standalone_mode=False); "
        "sys.exit(any(name.split('.')[0] in ('tensorflow', 'keras') for name in sys.modules))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stderr == ""

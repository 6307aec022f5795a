"""`textgen train --validation` and `--test`: other files than the corpus judge the model."""

import pytest


@pytest.mark.parametrize(
    ("options", "validation", "message"),
    [
        (["--validation-split", "0.2"], "other.txt", "--validation-split cannot be combined"),
        ([], "train.txt", "a file must be in one part only"),
        (["--test", "train.txt"], "other.txt", "a file must be in one part only"),
        (["--test", "other.txt"], "other.txt", "a file must be in one part only"),
        (["--test", "empty.txt"], "other.txt", "test part is empty"),
        ([], "missing.txt", "missing.txt"),
        ([], "empty.txt", "validation part is empty"),
    ],
)
def test_a_mistake_gets_one_sentence(run, tmp_path, options, validation, message):
    for name, text in (("train.txt", "abc " * 99), ("other.txt", "abc"), ("empty.txt", " ")):
        (tmp_path / name).write_text(text, "utf-8")
    options = [tmp_path / each if each.endswith(".txt") else each for each in options]
    result = run(
        *("train", tmp_path / "train.txt", "--validation", tmp_path / validation, *options),
        *("--models-dir", tmp_path / "models"),
    )
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert not [*(tmp_path / "models").glob("*")]

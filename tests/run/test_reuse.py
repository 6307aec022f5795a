"""A run takes over the tokens of the run before where its own would be the same."""

import dataclasses
import json
import math
import os

import numpy as np
import pytest

import textgen
from textgen.config import CorpusConfig, TrainingConfig
from textgen.corpus import find_files
from textgen.errors import TextgenError
from textgen.metrics import bits, unknown_nats
from textgen.run import ModelRuns, begin_run, reopen_run
from textgen.run.reuse import find_run_to_reuse

AFRESH = ["reading", "learning", "encoding"]
REUSING = ["reading", "reusing"]


def test_a_run_on_the_same_corpus_reuses_the_tokens(begin, config, tmp_path):
    assert begin().names == AFRESH
    longer = dataclasses.replace(config, training=TrainingConfig(batch_size=2))
    assert begin(longer).names == REUSING
    now, before = (tmp_path / "mine" / run for run in ("train", "train.previous"))
    for name in ("train.npy", "validation.npy"):
        assert (now / "tokens" / name).samefile(before / "tokens" / name)
    for folder, batch_size in ((before, 4), (now, 2)):
        settings = json.loads((folder / "config.json").read_text("utf-8"))
        assert settings["run"]["training"]["batch_size"] == batch_size
    # And the next run reuses what was reused.
    assert begin().names == REUSING


def test_a_worker_reuses_the_tokens_where_they_are(begin, config, corpus, tmp_path):
    begin()
    runs = ModelRuns(tmp_path / "mine")
    before = find_run_to_reuse(runs.newest, find_files([corpus]), config, textgen.Reporter())
    assert begin_run(before, runs, config, textgen.Reporter(), writes=False) is before
    assert [path.name for path in runs.model_folder.iterdir()] == ["train"]


def test_other_text_or_other_cleaning_is_read_anew(begin, config, corpus):
    assert begin().names == AFRESH
    file = corpus / "0.txt"
    status = file.stat()
    file.write_text(file.read_text("utf-8").replace("abcde", "abcdf"), "utf-8")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert begin().names == AFRESH
    other = CorpusConfig(split_documents="file", validation_split=0.3, normalize="nfc")
    assert begin(dataclasses.replace(config, corpus=other)).names == AFRESH
    assert begin(dataclasses.replace(config, corpus=other, min_count=2)).names == AFRESH


def test_files_to_validate_with_are_a_part_of_their_own(begin, config, tmp_path):
    split = dataclasses.replace(config.corpus, validation_split=None)
    config = dataclasses.replace(config, corpus=split)
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("abcde " * 20, "utf-8")
    second.write_text("edcba " * 30, "utf-8")
    assert begin(config, validation=[first]).names == AFRESH
    run = reopen_run(ModelRuns(tmp_path / "mine").newest)
    # The text is cleaned as the corpus is, so the last space may be gone.
    assert run.corpus.validation_characters in (119, 120)
    characters = run.corpus.validation_characters
    tokens_per_character = run.store.validation.size / characters
    assert run.bits_per_character(math.log(4)) == pytest.approx(2 * tokens_per_character)
    assert begin(config, validation=[first]).names == REUSING
    assert begin(config, validation=[second]).names == AFRESH
    assert begin(config).names == AFRESH


def test_characters_that_a_model_lacks_are_paid_for(begin, config, tmp_path):
    config = dataclasses.replace(
        config, corpus=dataclasses.replace(config.corpus, validation_split=None)
    )
    judged = tmp_path / "judged.txt"
    judged.write_text("abc☃de☃", "utf-8")
    begin(config, validation=[judged])
    run = reopen_run(ModelRuns(tmp_path / "mine").newest)
    price = bits(unknown_nats(run.tokenizer.vocab_size))
    assert run.bits_per_character(0.0) == pytest.approx(2 * price / 7)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokens/train.npy"])
def test_tokens_of_a_damaged_run_are_not_reused(begin, tmp_path, name):
    assert begin().names == AFRESH
    (tmp_path / "mine" / "train" / name).write_bytes(b"{")
    assert begin().names == AFRESH


FILES = ("config.json", "tokenizer.json", "tokens/train.npy", "tokens/validation.npy")


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_in_any_file_of_a_run_is_noticed(begin, tmp_path, name):
    begin()
    folder = ModelRuns(tmp_path / "mine").newest
    file = folder.path / name
    content = file.read_bytes()
    for position in range(0, len(content), len(content) // 12):
        damaged = bytearray(content)
        damaged[position] ^= 2
        file.write_bytes(damaged)
        with pytest.raises(TextgenError):
            reopen_run(folder)
    file.write_bytes(content)
    reopen_run(folder)


def test_other_valid_tokens_are_noticed(begin, tmp_path):
    begin()
    folder = ModelRuns(tmp_path / "mine").newest
    np.save(folder.tokens / "train.npy", np.ones(500, np.uint16))
    with pytest.raises(TextgenError, match=r"train\.npy has changed"):
        reopen_run(folder)


def other_id(folder):
    tokens = np.load(folder / "tokens" / "train.npy")
    np.save(folder / "tokens" / "train.npy", np.where(tokens == tokens[0], 999, tokens))


def other_shape(folder):
    tokens = np.load(folder / "tokens" / "validation.npy")
    np.save(folder / "tokens" / "validation.npy", tokens[None])


def no_tokens(folder):
    np.save(folder / "tokens" / "validation.npy", np.zeros(0, np.uint16))


def no_fact(folder):
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    del settings["corpus"]["validation_characters"]
    (folder / "config.json").write_text(json.dumps(settings), "utf-8")


@pytest.mark.parametrize("damage", [other_id, other_shape, no_tokens, no_fact])
def test_what_can_be_read_but_not_be_true_is_neither_reused_nor_resumed(begin, tmp_path, damage):
    begin()
    damage(tmp_path / "mine" / "train")
    with pytest.raises(TextgenError, match="damaged"):
        reopen_run(ModelRuns(tmp_path / "mine").newest)
    assert begin().names == AFRESH


def test_without_hard_links_the_tokens_are_copied(begin, tmp_path, monkeypatch):
    def refuse(*paths):
        raise PermissionError(1, "Operation not permitted")

    assert begin().names == AFRESH
    monkeypatch.setattr(os, "link", refuse)
    assert begin().names == REUSING
    files = [tmp_path / "mine" / run / "tokens/train.npy" for run in ("train", "train.previous")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert not files[0].samefile(files[1])

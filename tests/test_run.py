"""A run's folder: how it begins, and when it takes over the tokens of the run before."""

import dataclasses
import json
import os

import pytest

import textgen
from textgen.config import CorpusConfig, ModelConfig, RunConfig, TrainingConfig
from textgen.corpus import find_files
from textgen.run import begin_like, find_run_to_reuse

CONFIG = RunConfig(
    corpus=CorpusConfig(split_documents="file", validation_split=0.3),
    model=ModelConfig("lstm", num_layers=1, hidden_dim=8, context_length=8),
    training=TrainingConfig(batch_size=4),
)


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for index in range(4):
        (folder / f"{index}.txt").write_text(f"document {index}: " + "abcde " * 20, "utf-8")
    return folder


class Phases(textgen.Reporter):
    """Remembers the phases and the bytes done in each; interrupts where training would begin."""

    def __init__(self):
        self.names = []
        self.done = {}

    def phase(self, name):
        if name == "compiling":
            raise KeyboardInterrupt
        self.names.append(name)

    def bytes_done(self, done, total):
        self.done[self.names[-1]] = (done, total)


AFRESH = ["reading", "learning", "encoding"]
REUSING = ["reading", "reusing"]


@pytest.fixture
def begin(corpus, tmp_path):
    """Begin to train on the corpus, up to the first step."""

    def begin(config=CONFIG):
        phases = Phases()
        with pytest.raises(KeyboardInterrupt):
            textgen.train([corpus], "mine", config, tmp_path, reporter=phases)
        return phases

    return begin


def test_every_byte_of_the_corpus_is_reported(begin, corpus):
    phases = begin()
    sizes = [file.stat().st_size for file in corpus.iterdir()]
    assert phases.done["reading"] == (sum(sizes), sum(sizes))
    # A byte after every document.
    assert phases.done["encoding"] == (sum(sizes) + len(sizes), sum(sizes) + len(sizes))


def test_a_run_on_the_same_corpus_reuses_the_tokens(begin, tmp_path):
    assert begin().names == AFRESH
    longer = dataclasses.replace(CONFIG, training=TrainingConfig(batch_size=2))
    assert begin(longer).names == REUSING
    now, before = (tmp_path / "mine" / run for run in ("train", "train.previous"))
    for name in ("train.npy", "validation.npy"):
        assert (now / "tokens" / name).samefile(before / "tokens" / name)
    for folder, batch_size in ((before, 4), (now, 2)):
        settings = json.loads((folder / "config.json").read_text("utf-8"))
        assert settings["run"]["training"]["batch_size"] == batch_size
    # And the next run reuses what was reused.
    assert begin().names == REUSING


def test_a_worker_reuses_the_tokens_where_they_are(begin, corpus, tmp_path):
    begin()
    folder = tmp_path / "mine" / "train"
    before = find_run_to_reuse(folder, find_files([corpus]), CONFIG, textgen.Reporter())
    assert begin_like(before, None) is before
    assert [path.name for path in folder.parent.iterdir()] == ["train"]


def test_other_text_or_other_cleaning_is_read_anew(begin, corpus):
    assert begin().names == AFRESH
    file = corpus / "0.txt"
    status = file.stat()
    file.write_text(file.read_text("utf-8").replace("abcde", "abcdf"), "utf-8")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert begin().names == AFRESH
    other = CorpusConfig(split_documents="file", validation_split=0.3, normalize="nfc")
    assert begin(dataclasses.replace(CONFIG, corpus=other)).names == AFRESH
    assert begin(dataclasses.replace(CONFIG, corpus=other, min_count=2)).names == AFRESH


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokens/train.npy"])
def test_tokens_of_a_damaged_run_are_not_reused(begin, tmp_path, name):
    assert begin().names == AFRESH
    (tmp_path / "mine" / "train" / name).write_bytes(b"{")
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


def test_the_rows_of_a_table_are_documents(begin, corpus, tmp_path):
    for file in list(corpus.iterdir()):
        row = json.dumps({"body": file.read_text("utf-8")})
        file.rename(file.with_suffix(".jsonl")).write_text(f"{row}\n{row}\n", "utf-8")
    begin(dataclasses.replace(CONFIG, corpus=CorpusConfig(text_column="body")))
    settings = json.loads((tmp_path / "mine" / "train" / "config.json").read_text("utf-8"))
    assert settings["corpus"]["num_documents"] == 8
    assert settings["corpus"]["has_documents"]

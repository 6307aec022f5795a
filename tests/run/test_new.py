"""A new run's folder holds what its corpus became."""

import dataclasses
import json
import os

import pytest

import textgen
from textgen.config import CorpusConfig
from textgen.run import Run


def test_every_byte_of_the_corpus_is_reported(begin, corpus):
    phases = begin()
    sizes = [file.stat().st_size for file in corpus.iterdir()]
    assert phases.done["reading"] == (sum(sizes), sum(sizes))
    # A byte after every document.
    assert phases.done["encoding"] == (sum(sizes) + len(sizes), sum(sizes) + len(sizes))


def test_the_rows_of_a_table_are_documents(begin, config, corpus, tmp_path):
    for file in list(corpus.iterdir()):
        row = json.dumps({"body": file.read_text("utf-8")})
        file.rename(file.with_suffix(".jsonl")).write_text(f"{row}\n{row}\n", "utf-8")
    begin(dataclasses.replace(config, corpus=CorpusConfig(text_column="body")))
    settings = json.loads((tmp_path / "mine" / "train" / "config.json").read_text("utf-8"))
    assert settings["corpus"]["num_documents"] == 8
    assert settings["corpus"]["has_documents"]


@pytest.mark.parametrize("runs_before", [0, 1])
def test_a_disk_that_fills_up_after_the_tokens_keeps_none_of_them(
    begin, config, corpus, tmp_path, monkeypatch, runs_before
):
    def refuse(run):
        raise OSError(28, "No space left on device")

    for _ in range(runs_before):
        begin()
    monkeypatch.setattr(Run, "save", refuse)
    with pytest.raises(OSError, match="No space"):
        textgen.train([corpus], "mine", config, tmp_path)
    assert not (tmp_path / "mine" / "train.new").exists()


def test_the_models_folder_is_no_part_of_the_corpus_around_it(begin, config, corpus):
    models = corpus / "models"
    assert "encoding" in begin(config, models).names
    assert "reusing" in begin(config, models).names


def test_a_plan_writes_no_folder(config, corpus, tmp_path):
    textgen.plan([corpus], "mine", config, tmp_path / "models")
    assert os.listdir(tmp_path) == [corpus.name]

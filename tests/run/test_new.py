"""A new run's folder holds what its corpus became."""

import dataclasses
import json

from textgen.config import CorpusConfig


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

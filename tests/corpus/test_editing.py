"""Copies and personal data are taken out while a corpus is read, and counted."""

import json

import pytest

from textgen.config import CorpusConfig
from textgen.corpus import find_files, read_corpus
from textgen.errors import ConfigError


def read(tmp_path, content, name="a.txt", **settings):
    path = tmp_path / name
    path.write_text(content, "utf-8")
    config = CorpusConfig(validation_split=0, **settings)
    with read_corpus(find_files([path]), config) as corpus:
        return [text for block in corpus.train.blocks() for text in block if text], corpus.facts


def test_copies_are_left_out_and_counted(tmp_path):
    content = "one\n\ntwo\n\none\n\nthree\n\n two \n"
    documents, facts = read(tmp_path, content, split_documents="blank-line", deduplicate=True)
    assert documents == ["one", "two", "three"]
    assert facts.num_documents == 3
    assert facts.to_dict()["edits"] == {"exact_duplicates": 2}
    assert type(facts).from_dict(json.loads(json.dumps(facts.to_dict()))) == facts


def test_a_single_text_is_no_copy(tmp_path):
    documents, facts = read(tmp_path, "one\none\n", deduplicate=True)
    assert documents == ["one\none\n"]
    assert "edits" not in facts.to_dict()


def test_personal_data_is_replaced_before_cleaning(tmp_path):
    content = "Mail Ada@Example.org or call +49 30 1234567!\n" * 2
    settings = {"redact": ["email", "phone"], "lowercase": True, "strip_punctuation": True}
    documents, facts = read(tmp_path, content, **settings)
    assert documents == ["mail email or call phone\n" * 2]
    assert facts.edits == {"email": 2, "phone": 2}


def test_rows_are_edited_too(tmp_path):
    rows = "text\nWrite to a@b.org\nWrite to a@b.org\n"
    documents, facts = read(tmp_path, rows, "a.csv", redact=("email",), deduplicate=True)
    assert documents == ["Write to [email]"]
    assert facts.edits == {"email": 2, "exact_duplicates": 1}


def test_a_kind_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match=r"redact must be one or more of email, .* Received: "):
        CorpusConfig(redact=("names",))

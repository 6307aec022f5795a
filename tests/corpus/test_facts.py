import dataclasses

import pytest

from textgen.corpus import CLEANED_BY, CorpusFacts

FACTS = CorpusFacts(
    description="poems.txt",
    digest="d1",
    source_digest="d2",
    has_documents=True,
    num_documents=3,
    num_characters=100,
    validation_characters=10,
)


def test_facts_survive_json():
    assert CorpusFacts.from_dict(FACTS.to_dict()) == FACTS
    assert FACTS.to_dict()["cleaned_by"] == CLEANED_BY


def test_the_training_part_is_what_validation_and_test_leave():
    assert FACTS.train_characters == 90
    assert dataclasses.replace(FACTS, test_characters=20).train_characters == 70


def test_only_a_corpus_with_a_test_part_records_it():
    tested = dataclasses.replace(FACTS, test_characters=20)
    assert CorpusFacts.from_dict(tested.to_dict()) == tested
    assert "test_characters" not in FACTS.to_dict()


def test_a_record_of_an_earlier_version_lacks_what_that_version_did_not_know():
    earlier = {k: v for k, v in FACTS.to_dict().items() if k not in ("source_digest", "cleaned_by")}
    facts = CorpusFacts.from_dict(earlier)
    assert facts == dataclasses.replace(FACTS, source_digest=None, cleaned_by=None)
    assert facts.to_dict() == earlier


def test_a_later_fact_is_ignored():
    assert CorpusFacts.from_dict({**FACTS.to_dict(), "mood": "calm"}) == FACTS


@pytest.mark.parametrize(
    ("fact", "value"), [("digest", None), ("has_documents", 1), ("num_characters", "100")]
)
def test_a_missing_fact_or_one_of_the_wrong_type_is_an_error(fact, value):
    with pytest.raises(ValueError, match=f"the corpus lacks '{fact}'"):
        CorpusFacts.from_dict({**FACTS.to_dict(), fact: value})

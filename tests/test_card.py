"""The model card records what a run was and how it ended, and survives JSON."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from textgen.card import ModelCard, make_card
from textgen.card_parts import TrainingSummary
from textgen.config import RunConfig
from textgen.corpus import CorpusFacts
from textgen.run import Run, RunFolder
from textgen.tokenizer import CharacterTokenizer


def test_a_card_records_the_shape_the_corpus_and_the_loss(tmp_path):
    corpus = CorpusFacts(
        description="two letters",
        digest="d1",
        source_digest="d2",
        has_documents=False,
        num_documents=1,
        num_characters=500,
        validation_characters=50,
    )
    store = SimpleNamespace(
        num_learned={"validation": 100}.__getitem__,
        count_learned=lambda part, token: 0,
        seen=lambda size: np.arange(size) != 1,
    )
    tokenizer = CharacterTokenizer.learn(["ab"])
    run = Run(RunFolder(tmp_path), RunConfig(), corpus, tokenizer, store)
    weights = {"kernel": SimpleNamespace(shape=(3, 4)), "bias": SimpleNamespace(shape=(4,))}
    result = SimpleNamespace(
        model=SimpleNamespace(named_variables=lambda: weights),
        step=9,
        best_step=6,
        validation_loss=math.log(2),
        ended_by="patience",
        initial_loss=None,
        test_loss=0.8,
    )
    card = make_card("mine", run, result)
    assert ModelCard.from_dict(json.loads(json.dumps(card.to_dict()))) == card
    assert card.tokenizer.unseen == [1]
    assert card.num_parameters == 16
    assert card.corpus.description == "two letters"
    assert card.perplexity == pytest.approx(2)
    # One bit per token, two tokens per character.
    assert card.bits_per_character == pytest.approx(2)
    assert card.training.optimizer == "muon"
    assert (card.steps, card.best_step, card.training.ended_by) == (9, 6, "patience")


IMPORTED = {
    "name": "smol",
    "model": {
        "architecture": "a",
        "num_layers": 1,
        "hidden_dim": 8,
        "context_length": 4,
    },
    "num_parameters": 9,
    "tokenizer": {"kind": "bpe", "vocab_size": 5},
    "published": {"source": "smol.gguf", "digest": "0" * 64},
    "created": "2000-01-01T00:00:00+00:00",
    "versions": {"textgen": "0", "tensorflow": "0", "keras": "0"},
}


def test_the_card_of_an_imported_model_says_nothing_of_training():
    card = ModelCard.from_dict(IMPORTED)
    assert card.origin == "smol.gguf"
    assert (card.corpus, card.training, card.published.license) == (None, None, None)
    assert card.to_dict() == IMPORTED


@pytest.mark.parametrize("change", [{"published": 1}, {"corpus": 1}, {"steps": "one"}])
def test_a_field_that_may_be_missing_has_its_type_all_the_same(change):
    with pytest.raises(TypeError):
        ModelCard.from_dict({**IMPORTED, **change})


def test_a_card_names_where_its_model_comes_from_or_how_it_was_trained():
    with pytest.raises(KeyError, match="corpus"):
        ModelCard.from_dict({name: v for name, v in IMPORTED.items() if name != "published"})


def test_the_settings_of_the_run_stand_in_the_json_of_the_card():
    values = {"batch_size": 1, "optimizer": "adamw", "ended_by": "max_steps", "seed": 7}
    assert TrainingSummary.from_dict(values).to_dict() == values
    assert TrainingSummary.from_dict(values).other == {"seed": 7}

"""The model card holds what a run was and how it ended, as JSON can hold it."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from textgen.card import make_card
from textgen.config import RunConfig
from textgen.corpus import CorpusFacts
from textgen.run import Run
from textgen.tokenizer import CharacterTokenizer


def test_a_card_tells_the_shape_the_corpus_and_the_loss(tmp_path):
    corpus = CorpusFacts(
        description="two letters",
        digest="d1",
        source_digest="d2",
        has_documents=False,
        num_documents=1,
        num_characters=500,
        validation_characters=50,
    )
    store = SimpleNamespace(validation=np.zeros(100, np.uint16))
    run = Run(tmp_path, RunConfig(), corpus, CharacterTokenizer.learn(["ab"]), store)
    weights = [SimpleNamespace(shape=(3, 4)), SimpleNamespace(shape=(4,))]
    outcome = SimpleNamespace(
        model=SimpleNamespace(trainable_variables=weights),
        step=9,
        best_step=6,
        validation_loss=math.log(2),
        ended_by="patience",
    )
    card = make_card("mine", run, outcome)
    assert json.loads(json.dumps(card)) == card
    assert card["num_parameters"] == 16
    assert card["corpus"]["description"] == "two letters"
    assert card["perplexity"] == pytest.approx(2)
    # A bit a token, two tokens a character.
    assert card["bits_per_character"] == pytest.approx(2)
    assert card["training"]["optimizer"] == "muon"
    assert (card["steps"], card["best_step"], card["training"]["ended_by"]) == (9, 6, "patience")

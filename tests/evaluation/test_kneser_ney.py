"""Kneser-Ney: an independent implementation agrees, and probabilities sum to one."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.evaluation.characters import Alphabet
from textgen.evaluation.kneser_ney import KneserNey
from textgen.metrics import NUM_CODE_POINTS


def nltk_nats(training, text, order, discount):
    """What nltk's implementation says of each character that it can tell."""
    from nltk.lm.models import KneserNeyInterpolated
    from nltk.util import everygrams

    model = KneserNeyInterpolated(order, discount=discount)
    model.fit([list(everygrams(list(training), max_len=order))], vocabulary_text=list(training))
    return [
        -math.log(model.score(text[i], list(text[max(i - order + 1, 0) : i])))
        for i in range(len(text))
    ]


@pytest.mark.parametrize("order", [2, 3, 5])
def test_nltk_agrees(order):
    chooser = random.Random(order)
    body = "".join(chooser.choices("abcd é", [5, 4, 3, 2, 4, 1], k=300))
    # nltk counts the very first n-gram once too often, unless it occurs again.
    training = body + body[:6]
    text = "".join(chooser.choices("abcd é", k=60))
    alphabet = Alphabet(training)
    model = KneserNey(training, alphabet, order, discounts=[0.3] * (order - 1))
    known = alphabet.nats(np.zeros(1, int), np.ones(1))[0]  # what the unknown ones are left
    found = model.nats(text) - known
    np.testing.assert_allclose(found, nltk_nats(training, text, order, 0.3), atol=1e-6)


@given(st.text(st.sampled_from("ab é字"), min_size=1, max_size=60), st.text("ab字", max_size=4))
def test_all_characters_together_have_probability_one(training, context):
    alphabet = Alphabet(training)
    model = KneserNey(training, alphabet)
    known = [math.exp(-model.nats(context + chr(point))[-1]) for point in alphabet.points]
    unknown = math.exp(-model.nats(context + "☃")[-1]) * (NUM_CODE_POINTS - len(alphabet))
    assert sum(known) + unknown == pytest.approx(1, abs=1e-9)


def test_what_is_frequent_is_cheap_and_what_is_unknown_is_dear():
    model = KneserNey("the cat sat on the mat " * 20, Alphabet("the cat sat on the mat " * 20))
    assert model.nats("the cat").sum() < model.nats("tac eht").sum()
    assert model.nats("☃")[0] > 15
    assert model.nats("").shape == (0,)

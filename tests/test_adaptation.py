"""A model that learns from a text while it reads it, and never from what it has yet to predict."""

import numpy as np
import pytest

from textgen import adaptation
from textgen.adaptation import score_adapting
from textgen.errors import ConfigError
from textgen.inference import load

TEXT = "abcd. " * 20


@pytest.fixture(scope="module")
def model(exported):
    with load(exported.path) as loaded:
        yield loaded


def test_a_text_that_repeats_itself_teaches(model):
    (fixed,), (adapted,) = score_adapting(model, [TEXT], rate=1e-2)
    assert fixed.text == adapted.text == TEXT
    assert adapted.bits < 0.9 * fixed.bits
    # The first window is predicted before anything was learned.
    first = model.card.model.context_length
    np.testing.assert_allclose(
        adapted.token_logprobs[:first], fixed.token_logprobs[:first], atol=1e-4
    )


def test_without_learning_it_is_the_score_of_the_exported_model(model):
    texts = ["Abc. d", "é字 ab", "   a"] if model.card.model.architecture == "lstm" else [TEXT, "é"]
    found = score_adapting(model, texts).fixed
    for text, score in zip(texts, found, strict=True):
        wanted = model.score(text)
        assert score.token_ids.tolist() == wanted.token_ids.tolist()
        np.testing.assert_allclose(score.token_logprobs, wanted.token_logprobs, atol=1e-4)


def test_it_is_deterministic_and_leaves_the_model_as_it_is(model):
    first, second = (score_adapting(model, [TEXT, "ab"]) for _ in range(2))
    for scores, again in zip(first, second, strict=True):
        for score, other in zip(scores, again, strict=True):
            assert score.token_logprobs.tolist() == other.token_logprobs.tolist()


def test_it_does_not_look_ahead(model):
    changed = TEXT[:60] + TEXT[60:].replace("a", "d")
    one, other = (score_adapting(model, [text], rate=1e-2).adapted[0] for text in (TEXT, changed))
    assert one.token_logprobs[:60].tolist() == other.token_logprobs[:60].tolist()
    assert one.token_logprobs[60:].tolist() != other.token_logprobs[60:].tolist()


def test_progress_is_told_and_empty_texts_are_left_out(model):
    calls = []
    score_adapting(model, ["", TEXT], on_windows=lambda *call: calls.append(call))
    assert calls[-1][0] == calls[-1][1]
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert score_adapting(model, [""]) == ([], [])


def test_what_cannot_be_is_refused_in_one_sentence(model, monkeypatch):
    with pytest.raises(ConfigError, match=r"^rate must be a finite number > 0. Received: 0$"):
        score_adapting(model, [TEXT], rate=0)
    with pytest.raises(ConfigError, match=r"^rate must be lower: the model diverged"):
        score_adapting(model, [TEXT], rate=1e38)
    monkeypatch.setattr(adaptation, "_MAX_WEIGHTS", 100)
    with pytest.raises(ConfigError, match=r"must have at most 100 weights. Received: [\d,]+$"):
        score_adapting(model, [TEXT])

"""What a model answers beside its text: probabilities, scores."""

import json
import math

import numpy as np
import pytest

from textgen.errors import GenerationError


def test_logprobs_name_the_tokens_of_the_text(model):
    result = model.generate("ab", max_new_tokens=20, seed=1, logprobs=3)
    assert "".join(entry.token for entry in result.logprobs) == result.text
    assert len(result.top_logprobs) == result.num_tokens
    for own, top in zip(result.logprobs, result.top_logprobs, strict=True):
        assert len(top) == 3
        assert [e.logprob for e in top] == sorted((e.logprob for e in top), reverse=True)
        assert own.logprob <= top[0].logprob + 1e-6
        assert all(e.logprob == own.logprob for e in top if e.token_id == own.token_id)


def test_no_alternatives_and_no_logprobs_are_different_wishes(any_model):
    none = any_model.generate("ab", max_new_tokens=4, seed=1)
    assert none.logprobs is None
    assert not {"logprobs", "top_logprobs"} & set(none.to_dict())
    own = any_model.generate("ab", max_new_tokens=4, seed=1, logprobs=0)
    assert len(own.logprobs) == 4
    assert own.top_logprobs == ((),) * 4


def test_a_generation_is_json(any_model):
    result = any_model.generate("字", max_new_tokens=4, seed=1, logprobs=1)
    values = json.loads(json.dumps(result.to_dict()))
    assert values["logprobs"][0] == {
        "token_id": result.logprobs[0].token_id,
        "token": result.text[0],
        "logprob": result.logprobs[0].logprob,
    }
    assert values["top_logprobs"][0][0]["logprob"] >= values["logprobs"][0]["logprob"]


def test_a_text_scores_what_its_tokens_had_when_written(model):
    written = model.generate("ab", max_new_tokens=40, seed=1, logprobs=0)
    scored = model.score("ab" + written.text)
    assert scored.num_tokens == 42
    assert [e.token for e in scored.logprobs[2:]] == [e.token for e in written.logprobs]
    np.testing.assert_allclose(
        scored.token_logprobs[2:], [e.logprob for e in written.logprobs], atol=2e-5
    )


def test_a_score_is_of_the_cleaned_text(any_model):
    assert any_model.score("ABE\u0301").text == "abé"
    assert any_model.score("ABE\u0301").logprob == any_model.score("abé").logprob


def test_measures_of_a_score_are_those_of_their_formulas(byte_pair_model):
    scored = byte_pair_model.score("low 字 😀")
    assert scored.logprob == pytest.approx(sum(e.logprob for e in scored.logprobs))
    assert (scored.num_characters, scored.num_bytes) == (7, 12)
    assert scored.num_tokens == len(scored.token_ids) == len(scored.token_logprobs)
    assert math.log(scored.perplexity) == pytest.approx(-scored.logprob / scored.num_tokens)
    bits = -scored.logprob / math.log(2)
    assert scored.bits_per_character == pytest.approx(bits / 7)
    assert scored.bits_per_byte == pytest.approx(bits / 12)


def test_characters_that_a_model_lacks_cost_what_naming_them_costs(model):
    scored = model.score("☃a☃")
    price = math.log2(0x110000 - 0x800 - model.tokenizer.vocab_size)
    assert scored.bits == pytest.approx(-scored.logprob / math.log(2) + 2 * price)
    assert scored.bits_per_character == pytest.approx(scored.bits / 3)


def test_an_empty_text_surprises_nobody(model):
    scored = model.score("")
    assert (scored.logprob, scored.num_tokens, scored.perplexity) == (0, 0, 1)
    assert (scored.bits_per_character, scored.bits_per_byte) == (0, 0)


def test_a_model_that_is_not_a_number_has_no_score(any_model, monkeypatch):
    broken = {"token_ids": np.array([[3]]), "logprobs": np.array([[np.nan]], np.float32)}
    monkeypatch.setattr(any_model.saved_model, "run", lambda *_, **__: broken)
    with pytest.raises(GenerationError, match="weights are broken"):
        any_model.score("a")

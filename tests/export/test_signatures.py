"""The signatures of the SavedModel: what they ask, and of what shape they answer."""

import dataclasses

import numpy as np
import pytest
from tensorflow.python.framework import tensor_util

from tests.export.conftest import ask
from textgen.config import BeamSearchConfig, ContrastiveSearchConfig, SamplingConfig
from textgen.errors import GenerationError

STRING, INT32, INT64, FLOAT = 7, 3, 9, 1


INPUTS = {
    "prompts": (STRING, 1),
    "max_new_tokens": (INT32, 1),
    "min_new_tokens": (INT32, 1),
    "max_time": (FLOAT, 1),
    "temperature": (FLOAT, 1),
    "top_k": (INT32, 1),
    "top_p": (FLOAT, 1),
    "min_p": (FLOAT, 1),
    "typical_p": (FLOAT, 1),
    "repetition_penalty": (FLOAT, 1),
    "presence_penalty": (FLOAT, 1),
    "frequency_penalty": (FLOAT, 1),
    "repeat_last_n": (INT32, 1),
    "no_repeat_ngram_size": (INT32, 1),
    "dry_multiplier": (FLOAT, 1),
    "dry_base": (FLOAT, 1),
    "dry_allowed_length": (INT32, 1),
    "xtc_probability": (FLOAT, 1),
    "xtc_threshold": (FLOAT, 1),
    "mirostat_tau": (FLOAT, 1),
    "mirostat_eta": (FLOAT, 1),
    "seed": (INT64, 1),
    "stop": (STRING, 2),
    "banned": (STRING, 2),
    "bias_text": (STRING, 2),
    "bias": (FLOAT, 2),
    "automaton": (STRING, 1),
    "automaton_state": (INT32, 1),
    "logprobs": (INT32, 1),
}


OUTPUTS = {
    "text": (STRING, 1),
    "text_bytes": (STRING, 1),
    "token_ids": (INT32, 2),
    "num_tokens": (INT32, 1),
    "finish_reason": (STRING, 1),
    "logprobs": (FLOAT, 2),
    "top_token_ids": (INT32, 3),
    "top_logprobs": (FLOAT, 3),
}


SEARCHED = {
    "text": (STRING, 1),
    "text_bytes": (STRING, 1),
    "token_ids": (INT32, 2),
    "num_tokens": (INT32, 1),
    "finish_reason": (STRING, 1),
    "logprob": (FLOAT, 1),
}


SEARCHES = {
    "beam_search": (
        {"num_beams": (INT32, 1), "length_penalty": (FLOAT, 1)},
        {**SEARCHED, "score": (FLOAT, 1)},
        BeamSearchConfig(),
    ),
    "contrastive_search": (
        {"penalty_alpha": (FLOAT, 1), "top_k": (INT32, 1)},
        SEARCHED,
        ContrastiveSearchConfig(),
    ),
}


SCORES = {
    "token_ids": (INT32, 2),
    "logprobs": (FLOAT, 2),
    "logprob": (FLOAT, 1),
    "num_tokens": (INT32, 1),
}


def types(tensors):
    assert not any(info.tensor_shape.unknown_rank for info in tensors.values())
    # The first dimension is the batch, which is open.
    assert all(info.tensor_shape.dim[0].size == -1 for info in tensors.values())
    return {k: (info.dtype, len(info.tensor_shape.dim)) for k, info in tensors.items()}


def test_the_signatures_are_those_documented(meta_graph):
    signatures = meta_graph.signature_def
    own = {"generate", "serving_default", "prefill", "decode", "score", "score_tokens"}
    assert set(signatures) == {*own, *SEARCHES}
    assert types(signatures["serving_default"].inputs) == {"prompts": INPUTS["prompts"]}
    assert types(signatures["serving_default"].outputs) == OUTPUTS
    assert types(signatures["generate"].inputs) == INPUTS
    assert types(signatures["generate"].outputs) == OUTPUTS
    assert types(signatures["score"].inputs) == {"texts": (STRING, 1)}
    assert types(signatures["score"].outputs) == SCORES
    assert types(signatures["score_tokens"].inputs) == {"token_ids": (INT32, 2)}
    scores = {"logprobs": (FLOAT, 2), "best_logprobs": (FLOAT, 2)}
    assert types(signatures["score_tokens"].outputs) == scores


@pytest.mark.parametrize("name", SEARCHES)
def test_the_searches_have_the_inputs_and_defaults_of_their_configs(meta_graph, name):
    inputs, outputs, config = SEARCHES[name]
    shared = {name: INPUTS[name] for name in ("prompts", "max_new_tokens", "stop", "banned")}
    signature = meta_graph.signature_def[name]
    assert types(signature.inputs) == {**shared, **inputs}
    assert types(signature.outputs) == outputs
    values = {k: tensor_util.MakeNdarray(proto) for k, proto in signature.defaults.items()}
    assert set(values) == set(config.to_dict())
    for name, value in config.to_dict().items():
        assert values[name].ravel().tolist() == ([b""] if value == () else pytest.approx([value]))


def test_what_prefill_gives_decode_takes_and_gives_again(meta_graph):
    signatures = meta_graph.signature_def
    assert types(signatures["prefill"].inputs) == INPUTS
    state = types(signatures["prefill"].outputs)
    assert all(name.startswith("state_") for name in state)
    assert types(signatures["decode"].inputs) == {"num_tokens": (INT32, 1), **state}
    assert types(signatures["decode"].outputs) == {**OUTPUTS, **state}


def test_every_input_but_the_prompts_has_a_default(meta_graph):
    config = SamplingConfig().to_dict()
    stands_for_none = {"max_time": 0, "seed": -1, "logprobs": -1}
    stands_for_none |= {"automaton": b"", "automaton_state": 0}
    for name in ("generate", "prefill"):
        defaults = meta_graph.signature_def[name].defaults
        values = {name: tensor_util.MakeNdarray(proto) for name, proto in defaults.items()}
        assert set(values) == set(INPUTS) - {"prompts"}
        for name, value in values.items():
            if INPUTS[name][1] == 2:
                assert value.tolist() == [[0 if name == "bias" else b""]]
            else:
                wanted = stands_for_none.get(name, config.get(name))
                assert value.tolist() == pytest.approx([wanted])


def test_defaults_are_taken_for_what_is_left_out(model):
    result = model.run("generate", prompts=["a", "b"], seed=[1, 2])
    assert result["num_tokens"].tolist() == [SamplingConfig().max_new_tokens] * 2
    explicit = ask(model, ["a", "b"], n=200, temperature=0.8, seed=1)
    assert result["text"].tolist() == explicit["text"].tolist()


@pytest.mark.parametrize("signature", ["serving_default", "generate", *SEARCHES])
def test_an_empty_batch_is_answered(model, signature):
    result = model.run(signature, prompts=[])
    outputs = SEARCHES[signature][1] if signature in SEARCHES else OUTPUTS
    assert {name: value.shape[0] for name, value in result.items()} == dict.fromkeys(outputs, 0)


def test_an_empty_batch_is_scored_and_streamed(model):
    assert {v.shape[0] for v in model.run("score", texts=[]).values()} == {0}
    state = model.run("prefill", prompts=[])
    assert {v.shape[0] for v in model.run("decode", num_tokens=[], **state).values()} == {0}


@pytest.mark.parametrize("shape", [(), (1, 1), (2, 2)])
@pytest.mark.parametrize("name", ["prompts", "temperature"])
def test_a_wrong_rank_is_refused_by_the_graph_itself(model, monkeypatch, name, shape):
    # The runtime would refuse it before; a server passes on whatever it is sent.
    signature = model.signatures["generate"]
    spec = dataclasses.replace(signature.inputs[name], shape=None)
    unchecked = dataclasses.replace(signature, inputs={**signature.inputs, name: spec})
    monkeypatch.setitem(model.signatures, "generate", unchecked)
    given = {"prompts": ["a"], "temperature": [1.0]}
    given[name] = np.full(shape, given[name][0], object if name == "prompts" else np.float32)
    with pytest.raises(GenerationError, match="Shape"):
        model.run("generate", **given)
    assert ask(model, ["a"], n=3)["num_tokens"] == [3]


def test_outputs_have_the_names_of_their_signatures(model):
    for name, signature in model.signatures.items():
        for key, spec in signature.outputs.items():
            assert spec.name == f"{name}/{key}:0"


def test_every_output_has_one_row_a_prompt(model):
    result = ask(model, ["a", "b", "c"], n=11)
    assert {name: value.shape for name, value in result.items()} == {
        **dict.fromkeys(OUTPUTS, (3,)),
        "token_ids": (3, 11),
        "logprobs": (3, 0),
        "top_token_ids": (3, 0, 0),
        "top_logprobs": (3, 0, 0),
    }

"""The SavedModel: what it asks, what it answers, and that any machine can run it."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import tensor_util

from textgen.config import BeamSearchConfig, ContrastiveSearchConfig, SamplingConfig
from textgen.errors import GenerationError
from textgen.export import write_saved_model
from textgen.generation import default_inputs
from textgen.runtime import SavedModel

CHARACTERS = "\n .abcdé。字😀"  # the vocabulary of conftest.py's models

PROMPTS = [
    "a",
    "",
    "é。字😀",
    "never seen: ☃ Ж",
    "abcd " * 12,  # longer than the context
    "\n\n",
    "e\u0301",
]
CONTROLS = [
    {},  # 30 tokens: past the context of 10
    {"n": 75, "seed": 2**40},
    {"temperature": 0.0},
    {"temperature": 0.6, "top_k": 4, "seed": 17},
    {"temperature": 1.5, "top_p": 0.7, "seed": 5},
    {"top_k": 6, "top_p": 0.9, "stop": ["a", "字"], "seed": 9},
    {"n": 1},
    {"n": 0},
    {"min_p": 0.1, "typical_p": 0.8, "xtc_probability": 0.5, "xtc_threshold": 0.05},
    {"repetition_penalty": 1.3, "presence_penalty": 0.2, "frequency_penalty": 0.1},
    {"no_repeat_ngram_size": 3, "dry_multiplier": 0.8, "repeat_last_n": 6},
    {"mirostat_tau": 2.0, "repetition_penalty": 1.1},
    {"banned": ["a", "。"], "bias_text": ["b"], "bias": [2.5], "min_new_tokens": 20},
    {"n": 20, "logprobs": 3},
]


@pytest.fixture(scope="module")
def model(exported):
    with SavedModel(exported.path) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def meta_graph(exported):
    content = (exported.path / "saved_model.pb").read_bytes()
    return saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]


def ask(model, prompts, n=30, temperature=1.0, seed=0, **inputs):
    """The arguments of `Exported.write`, for the SavedModel."""
    texts = {"stop", "banned", "bias_text"}
    return model.run(
        "generate",
        prompts=prompts,
        max_new_tokens=[n],
        temperature=[temperature],
        seed=np.arange(len(prompts), dtype=np.int64) + seed,
        **{
            name: np.array([value], object).reshape(1, -1) if name in texts else [value]
            for name, value in inputs.items()
        },
    )


# What stock TensorFlow Serving does at its start.
WITHOUT_XLA = """
import ctypes, importlib.util, json, sys
from pathlib import Path
import numpy as np
from textgen.runtime import SavedModel, library

library.load()
folder = Path(importlib.util.find_spec("tensorflow").submodule_search_locations[0])
core = ctypes.CDLL(str(folder / "libtensorflow_cc.so.2"))
core._ZN10tensorflow21DisableXlaCompilationEv()
with SavedModel(sys.argv[1]) as model:
    for inputs in json.load(sys.stdin):
        for name in ("stop", "banned", "bias_text"):
            inputs[name] = np.array(inputs.get(name, []), object).reshape(1, -1)
        result = model.run("generate", **inputs)
        print(json.dumps({
            "text": [text.decode() for text in result["text"]],
            "token_ids": result["token_ids"].tolist(),
            "finish_reason": [reason.decode() for reason in result["finish_reason"]],
        }))
assert not {"tensorflow", "keras"} & set(sys.modules)
"""


def test_without_xla_it_writes_what_the_library_writes(run_python, exported):
    names = {"n": "max_new_tokens"}
    defaults = {"n": 30, "temperature": 1.0, "seed": 0}
    requests = []
    for controls in CONTROLS:
        values = {**defaults, **controls}
        request = {names.get(name, name): [value] for name, value in values.items()}
        request["seed"] = [values["seed"] + row for row in range(len(PROMPTS))]
        requests.append({"prompts": PROMPTS, **request})
    output, _ = run_python(WITHOUT_XLA, exported.path, stdin=json.dumps(requests))
    answers = [json.loads(line) for line in output.splitlines()]
    assert len(answers) == len(CONTROLS)
    for controls, answer in zip(CONTROLS, answers, strict=True):
        wanted = exported.write(PROMPTS, **controls)
        assert answer["text"] == [text.decode() for text in wanted.text_bytes.numpy()], controls
        assert answer["token_ids"] == wanted.token_ids.numpy().tolist()
        reasons = [reason.decode() for reason in wanted.finish_reason.numpy()]
        assert answer["finish_reason"] == reasons
    # The comparison would say nothing of texts that are all the same.
    assert len(set(answers[0]["text"])) == len(PROMPTS)


def test_no_op_needs_xla_cudnn_or_python(meta_graph):
    functions = meta_graph.graph_def.library.function
    nodes = [*meta_graph.graph_def.node, *(node for f in functions for node in f.node_def)]
    assert len(nodes) > 100
    foreign = {n.op for n in nodes if any(w in n.op.lower() for w in ("xla", "cudnn", "pyfunc"))}
    assert not foreign
    for holder in (*nodes, *functions):
        assert not holder.attr["_XlaMustCompile"].b


def test_it_holds_only_core_ops(meta_graph):
    # Ops that only the tensorflow wheel has, or only tensorflow-text, have a prefix.
    assert not [op.name for op in meta_graph.meta_info_def.stripped_op_list.op if ">" in op.name]


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
    own = {"generate", "serving_default", "prefill", "decode", "score"}
    assert set(signatures) == {*own, *SEARCHES}
    assert types(signatures["serving_default"].inputs) == {"prompts": INPUTS["prompts"]}
    assert types(signatures["serving_default"].outputs) == OUTPUTS
    assert types(signatures["generate"].inputs) == INPUTS
    assert types(signatures["generate"].outputs) == OUTPUTS
    assert types(signatures["score"].inputs) == {"texts": (STRING, 1)}
    assert types(signatures["score"].outputs) == SCORES


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


def test_a_text_written_in_pieces_is_the_text_written_at_once(model):
    inputs = {
        "prompts": PROMPTS,
        "seed": range(len(PROMPTS)),
        "max_new_tokens": [40],
        "repetition_penalty": [1.2],
        "mirostat_tau": [2.0, 0, 0, 2.0, 0, 0, 3.0],
        "stop": [["字a", "\n\n"]],
        "logprobs": [2],
    }
    whole = model.run("generate", **inputs)
    for size in (1, 7):
        state, pieces = model.run_tensors("prefill", **inputs), []
        while not pieces or not all(pieces[-1]["finish_reason"]):
            output = model.run_tensors("decode", num_tokens=[size], **state)
            state = {name: tensor for name, tensor in output.items() if name in state}
            pieces.append({k: t.numpy() for k, t in output.items() if k not in state})
        for row in range(len(PROMPTS)):
            text = b"".join(piece["text_bytes"][row] for piece in pieces)
            assert text == whole["text_bytes"][row]
            count = whole["num_tokens"][row]
            for name in ("token_ids", "logprobs", "top_token_ids", "top_logprobs"):
                parts = [piece[name][row, : piece["num_tokens"][row]] for piece in pieces]
                assert np.array_equal(np.concatenate(parts), whole[name][row, :count])
        assert pieces[-1]["finish_reason"].tolist() == whole["finish_reason"].tolist()


def test_a_text_scores_what_its_tokens_had_when_written(model):
    # The prompt is within the context, the text goes past it several times.
    written = ask(model, ["ab"] * 3, n=60, logprobs=0)
    scored = model.run("score", texts=[b"ab" + text for text in written["text_bytes"]])
    assert scored["num_tokens"].tolist() == [62] * 3
    assert scored["token_ids"][:, 2:].tolist() == written["token_ids"].tolist()
    np.testing.assert_allclose(scored["logprobs"][:, 2:], written["logprobs"], atol=2e-5)
    np.testing.assert_allclose(scored["logprob"], scored["logprobs"].sum(1), rtol=1e-5)


def test_texts_of_any_length_score_the_same_in_any_batch(model):
    texts = ["", "a", "abcd é。" * 9, "字" * 10, "b" * 11]
    together = model.run("score", texts=texts)
    for row, text in enumerate(texts):
        alone = model.run("score", texts=[text])
        assert alone["num_tokens"][0] == len(text) == together["num_tokens"][row]
        np.testing.assert_allclose(alone["logprob"][0], together["logprob"][row], rtol=1e-4)
    assert not together["logprobs"][0].any()
    assert (together["token_ids"][0] == -1).all()


def test_logprobs_are_those_of_the_model_whatever_the_controls(model):
    free = ask(model, ["ab"], n=1, logprobs=5)
    steered = ask(model, ["ab"], n=1, logprobs=5, top_k=1, temperature=0.1, banned=["z"])
    np.testing.assert_allclose(free["top_logprobs"], steered["top_logprobs"], atol=1e-6)
    own = free["token_ids"][0, 0]
    where = free["top_token_ids"][0, 0].tolist().index(own) if own in free["top_token_ids"] else -1
    if where >= 0:
        assert free["logprobs"][0, 0] == free["top_logprobs"][0, 0, where]
    assert (np.diff(free["top_logprobs"][0, 0]) <= 0).all()


def test_rows_that_ask_for_fewer_alternatives_get_as_many_as_the_others(model):
    result = model.run("generate", prompts=["a", "b"], logprobs=[-1, 2], max_new_tokens=[3])
    assert result["top_token_ids"].shape == (2, 3, 2)
    none = model.run("generate", prompts=["a", "b"], max_new_tokens=[3])
    assert none["top_token_ids"].shape[1] == none["logprobs"].shape[1] == 0


def test_banned_characters_are_never_written(model):
    result = ask(model, ["a"] * 8, n=60, banned=["ab", "字", ""], temperature=2.0)
    for text in result["text"]:
        assert not set("ab字") & set(text.decode())


def test_a_bias_makes_its_text_likelier(model):
    plain = ask(model, ["a"] * 8, n=60, temperature=1.0)
    biased = ask(model, ["a"] * 8, n=60, temperature=1.0, bias_text=["字"], bias=[3.0])
    counts = [sum(t.decode().count("字") for t in r["text"]) for r in (plain, biased)]
    assert counts[1] > counts[0] + 20
    never = ask(model, ["a"] * 8, n=60, bias_text=["字"], bias=[-np.inf])
    assert not any("字" in text.decode() for text in never["text"])


def test_a_text_does_not_end_before_its_minimum(model):
    free = ask(model, ["a"], n=40)["text"][0].decode()
    stop = free[3]
    result = ask(model, ["a"], n=40, stop=[stop], min_new_tokens=10)
    text = result["text"][0].decode()
    assert text == free[: len(text)]
    assert len(text) >= 10


def test_time_that_is_up_ends_a_text(model):
    result = model.run(
        "generate", prompts=["a", "a"], max_new_tokens=[100_000, 9], max_time=[0.05, 0.0]
    )
    assert result["finish_reason"].tolist() == [b"time", b"length"]
    assert result["num_tokens"][1] == 9


def test_a_row_without_any_token_to_choose_says_so_and_leaves_the_others_alone(model):
    everything = "".join(CHARACTERS)
    result = model.run(
        "generate", prompts=["a", "a"], seed=[1], max_new_tokens=[5], banned=[[everything], [""]]
    )
    assert result["finish_reason"].tolist() == [b"error", b"length"]
    assert result["num_tokens"].tolist() == [0, 5]
    assert result["text"].tolist()[0] == b""


def test_defaults_are_taken_for_what_is_left_out(model):
    result = model.run("generate", prompts=["a", "b"], seed=[1, 2])
    assert result["num_tokens"].tolist() == [SamplingConfig().max_new_tokens] * 2
    explicit = ask(model, ["a", "b"], n=200, temperature=0.8, seed=1)
    assert result["text"].tolist() == explicit["text"].tolist()


def test_serving_default_writes_anew_each_time(model):
    first, second = (model.run("serving_default", prompts=["a", "字"]) for _ in range(2))
    assert first["num_tokens"].tolist() == [SamplingConfig().max_new_tokens] * 2
    assert len({*first["text"], *second["text"]}) == 4


def test_a_negative_seed_is_a_fresh_one_a_row_and_a_call(model):
    texts = [*model.run("generate", prompts=["a"] * 3)["text"]]
    texts += [*model.run("generate", prompts=["a"] * 3, seed=[-7])["text"]]
    assert len(set(texts)) == 6


def test_a_seed_is_kept_beside_negative_ones(model):
    fixed, fresh = model.run("generate", prompts=["a"] * 2, seed=[3, -1])["text"]
    again, other = model.run("generate", prompts=["a"] * 2, seed=[3, -1])["text"]
    assert fixed == again
    assert len({fixed, fresh, other}) == 3


def test_one_seed_for_all_rows(model):
    texts = model.run("generate", prompts=["a"] * 2, seed=[4])["text"]
    assert texts[0] == texts[1] == ask(model, ["a"], n=200, temperature=0.8, seed=4)["text"][0]


def test_a_batch_is_its_rows(model):
    together = ask(model, PROMPTS, n=25, top_k=7, stop=["。"])
    for row, prompt in enumerate(PROMPTS):
        alone = ask(model, [prompt], n=25, top_k=7, stop=["。"], seed=row)
        for name in ("text", "text_bytes", "num_tokens", "finish_reason"):
            assert alone[name][0] == together[name][row]
        count = alone["num_tokens"][0]
        assert alone["token_ids"][0, :count].tolist() == together["token_ids"][row, :count].tolist()


def test_every_row_has_controls_of_its_own(model):
    controls = {
        "max_new_tokens": [5, 20, 12],
        "temperature": [0.0, 1.0, 2.0],
        "top_k": [0, 3, 0],
        "top_p": [1.0, 1.0, 0.5],
        "seed": [1, 2, 3],
        "stop": [["", ""], ["a", ""], ["字", "b"]],
    }
    together = model.run("generate", prompts=["a", "b", ""], **controls)["text"].tolist()
    for row, prompt in enumerate(["a", "b", ""]):
        own = {name: [values[row]] for name, values in controls.items()}
        assert model.run("generate", prompts=[prompt], **own)["text"].tolist() == [together[row]]


@pytest.mark.parametrize("temperature", [np.inf, np.nan, -1.0, 3e38, 1e-45])
def test_a_temperature_out_of_range_is_clamped_in_its_own_row(model, temperature):
    result = model.run(
        "generate", prompts=["a"] * 8, temperature=[1.0] + [temperature] * 7, seed=range(8)
    )
    assert (
        result["text"][0]
        == model.run("generate", prompts=["a"], temperature=[1.0], seed=[0])["text"].item()
    )
    # Special tokens stay banned.
    assert result["token_ids"].min() >= 3
    drawn = len(set(result["text"][1:]))
    assert drawn == (7 if temperature > 1 else 1)


@pytest.mark.parametrize("signature", ["serving_default", "generate", *SEARCHES])
def test_an_empty_batch_is_answered(model, signature):
    result = model.run(signature, prompts=[])
    outputs = SEARCHES[signature][1] if signature in SEARCHES else OUTPUTS
    assert {name: value.shape[0] for name, value in result.items()} == dict.fromkeys(outputs, 0)


def test_a_search_writes_what_the_library_writes(model, exported):
    generator, prompts = exported.generator, tf.constant(PROMPTS)
    given = {**default_inputs(), "max_new_tokens": [25], "stop": tf.constant([["。", "字字"]])}
    request = generator.request(prompts, given)
    wanted = {
        "beam_search": generator.beam_search(
            generator.prefill(prompts), request, tf.constant([3]), tf.constant([0.7])
        ),
        "contrastive_search": generator.contrastive_search(
            prompts, request, tf.constant([0.5]), tf.constant([5])
        ),
    }
    controls = {
        "beam_search": {"num_beams": [3], "length_penalty": [0.7]},
        "contrastive_search": {"penalty_alpha": [0.5], "top_k": [5]},
    }
    for name, result in wanted.items():
        found = model.run(
            name, prompts=PROMPTS, max_new_tokens=[25], stop=[["。", "字字"]], **controls[name]
        )
        for output, tensor in result._asdict().items():
            if output in ("logprob", "score"):
                np.testing.assert_allclose(found[output], tensor, rtol=1e-4)
            else:
                assert found[output].tolist() == tensor.numpy().tolist()


@pytest.mark.parametrize("signature", SEARCHES)
def test_a_batch_of_a_search_is_its_rows(model, signature):
    prompts = [*PROMPTS, b"\xff\xfe", b"a\xe5\xad"]
    lengths = [3, 25, 0, 17, 25, 1, 40, 9, 12]
    together = model.run(signature, prompts=prompts, max_new_tokens=lengths)
    for row, prompt in enumerate(prompts):
        alone = model.run(signature, prompts=[prompt], max_new_tokens=[lengths[row]])
        for name in ("text", "text_bytes", "num_tokens", "finish_reason"):
            assert alone[name][0] == together[name][row]


def test_an_empty_batch_is_scored_and_streamed(model):
    assert {v.shape[0] for v in model.run("score", texts=[]).values()} == {0}
    state = model.run("prefill", prompts=[])
    assert {v.shape[0] for v in model.run("decode", num_tokens=[], **state).values()} == {0}


def test_empty_texts_have_no_bias_and_ban_nothing(model):
    plain = ask(model, ["a"] * 3, n=20)
    with_empty = ask(model, ["a"] * 3, n=20, bias_text=["", "", ""], bias=[0.0, 3.0, -np.inf])
    assert with_empty["text"].tolist() == plain["text"].tolist()
    assert ask(model, ["a"] * 3, n=20, banned=["", ""])["text"].tolist() == plain["text"].tolist()


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


def test_prompts_that_are_no_utf8_are_answered(model):
    prompts = [b"\xff\xfe", b"a\xe5\xad", b"\x00", b"\xed\xa0\x80"]
    result = ask(model, prompts, n=8)
    assert result["num_tokens"].tolist() == [8] * 4
    # Each invalid byte is read as U+FFFD, which the model has not seen either.
    assert result["text"][0] == ask(model, ["\ufffd\ufffd"], n=8)["text"][0]


def test_every_output_has_one_row_a_prompt(model):
    result = ask(model, ["a", "b", "c"], n=11)
    assert {name: value.shape for name, value in result.items()} == {
        **dict.fromkeys(OUTPUTS, (3,)),
        "token_ids": (3, 11),
        "logprobs": (3, 0),
        "top_token_ids": (3, 0, 0),
        "top_logprobs": (3, 0, 0),
    }


def test_text_is_valid_utf8_even_where_a_stop_string_is_not(model):
    # A stop string may be any bytes, here the last of "字".
    result = ask(model, ["a"] * 4, n=60, stop=[b"\x97", b"\x80"])
    for text, text_bytes in zip(result["text"], result["text_bytes"], strict=True):
        assert text.decode("utf-8") == text_bytes.decode("utf-8", errors="replace")
    assert set(result["finish_reason"]) <= {b"stop", b"length"}


def test_card_and_tokenizer_lie_in_assets_extra(exported):
    extra = exported.path / "assets.extra"
    assert {"textgen.json", "tokenizer.json"} <= {file.name for file in extra.iterdir()}
    assert json.loads((extra / "textgen.json").read_text("utf-8"))["validation_loss"] == 1.0


def test_a_folder_that_cannot_be_written_is_an_os_error(exported, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_saved_model(tmp_path / "file" / "1", exported.generator, exported.tokenizer, {})


@pytest.mark.slow
def test_twenty_thousand_characters_come_from_a_context_of_ten(model):
    result = ask(model, ["ab"], n=20_000)
    assert result["num_tokens"].tolist() == [20_000]
    assert result["finish_reason"].tolist() == [b"length"]
    text = result["text"][0].decode()
    assert len(text) == 20_000
    # It neither stops changing nor begins anew.
    assert text[-50:] not in text[:-50]

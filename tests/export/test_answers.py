"""What the SavedModel answers: texts, scores and searches, every row by itself."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.export.conftest import PROMPTS, ask
from textgen.config import SamplingConfig
from textgen.generation import default_inputs

CHARACTERS = "\n .abcdé。字😀"  # the vocabulary of conftest.py's models


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


def test_tokens_score_in_a_window_what_their_text_scores(model):
    # The text "abcd ab" is predicted after the prefix token, which is a newline.
    text = model.run("score", texts=["abcd ab"])
    window = model.run("score", texts=["\nabcd ab"])["token_ids"]
    tokens = model.run("score_tokens", token_ids=window)
    np.testing.assert_allclose(tokens["logprobs"], text["logprobs"], atol=2e-5)
    assert (tokens["best_logprobs"] >= tokens["logprobs"]).all()


@pytest.mark.parametrize("token_ids", [[[5]], [[-9, 10**9, 3]], [[4] * 200], np.empty((0, 3), int)])
def test_no_tokens_make_a_request_fail(model, token_ids):
    scored = model.run("score_tokens", token_ids=token_ids)
    assert len(scored["logprobs"]) == len(token_ids)
    assert np.isfinite(scored["logprobs"]).all()


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
        "generate", prompts=["a", "a"], max_new_tokens=[2**31 - 1, 9], max_time=[0.05, 0.0]
    )
    assert result["finish_reason"].tolist() == [b"time", b"length"]
    assert result["num_tokens"][1] == 9


@pytest.mark.parametrize("signature", ["generate", "beam_search", "contrastive_search"])
def test_memory_is_for_what_is_written_not_for_what_may_be(model, signature):
    any_character = [[*CHARACTERS]]
    result = model.run(signature, prompts=["a"], max_new_tokens=[2**31 - 1], stop=any_character)
    assert result["finish_reason"].tolist() == [b"stop"]
    assert result["token_ids"].shape == (1, 1)


def test_a_row_without_any_token_to_choose_says_so_and_leaves_the_others_alone(model):
    everything = "".join(CHARACTERS)
    result = model.run(
        "generate", prompts=["a", "a"], seed=[1], max_new_tokens=[5], banned=[[everything], [""]]
    )
    assert result["finish_reason"].tolist() == [b"error", b"length"]
    assert result["num_tokens"].tolist() == [0, 5]
    assert result["text"].tolist()[0] == b""


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


def test_a_search_writes_what_the_library_writes(model, exported):
    generator, prompts = exported.generator, tf.constant(PROMPTS)
    given = {**default_inputs(), "max_new_tokens": [25], "stop": tf.constant([["。", "字字"]])}
    request = generator.request(prompts, given)
    wanted = {
        "beam_search": generator.beam_search(
            generator.prefill(prompts, request),
            request,
            tf.constant([3]),
            tf.constant([0.7]),
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


@pytest.mark.parametrize("signature", ["beam_search", "contrastive_search"])
def test_a_batch_of_a_search_is_its_rows(model, signature):
    prompts = [*PROMPTS, b"\xff\xfe", b"a\xe5\xad"]
    lengths = [3, 25, 0, 17, 25, 1, 40, 9, 12]
    together = model.run(signature, prompts=prompts, max_new_tokens=lengths)
    for row, prompt in enumerate(prompts):
        alone = model.run(signature, prompts=[prompt], max_new_tokens=[lengths[row]])
        for name in ("text", "text_bytes", "num_tokens", "finish_reason"):
            assert alone[name][0] == together[name][row]


def test_empty_texts_have_no_bias_and_ban_nothing(model):
    plain = ask(model, ["a"] * 3, n=20)
    with_empty = ask(model, ["a"] * 3, n=20, bias_text=["", "", ""], bias=[0.0, 3.0, -np.inf])
    assert with_empty["text"].tolist() == plain["text"].tolist()
    assert ask(model, ["a"] * 3, n=20, banned=["", ""])["text"].tolist() == plain["text"].tolist()


def test_prompts_that_are_no_utf8_are_answered(model):
    prompts = [b"\xff\xfe", b"a\xe5\xad", b"\x00", b"\xed\xa0\x80"]
    result = ask(model, prompts, n=8)
    assert result["num_tokens"].tolist() == [8] * 4
    # Each invalid byte is read as U+FFFD, which the model has not seen either.
    assert result["text"][0] == ask(model, ["\ufffd\ufffd"], n=8)["text"][0]


def test_text_is_valid_utf8_even_where_a_stop_string_is_not(model):
    # A stop string may be any bytes, here the last of "字".
    result = ask(model, ["a"] * 4, n=60, stop=[b"\x97", b"\x80"])
    for text, text_bytes in zip(result["text"], result["text_bytes"], strict=True):
        assert text.decode("utf-8") == text_bytes.decode("utf-8", errors="replace")
    assert set(result["finish_reason"]) <= {b"stop", b"length"}


@pytest.mark.slow
def test_twenty_thousand_characters_come_from_a_context_of_ten(model):
    result = ask(model, ["ab"], n=20_000)
    assert result["num_tokens"].tolist() == [20_000]
    assert result["finish_reason"].tolist() == [b"length"]
    text = result["text"][0].decode()
    assert len(text) == 20_000
    # It neither stops changing nor begins anew.
    assert text[-50:] not in text[:-50]

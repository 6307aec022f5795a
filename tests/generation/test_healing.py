"""A prompt may end anywhere: what is generated continues it as the training text would."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import decode_graph
from tests.generation.conftest import TinyModel
from textgen.generation import default_inputs
from textgen.tokenizer import BytePairTokenizer, CharacterTokenizer

WORDS = "the world worked; wordy Bobby and Bob and Bo worship the wor of  two  spaces "
TOKENIZER = BytePairTokenizer.learn([WORDS * 30], vocab_size=330)
PIECES = TOKENIZER.pieces
ROWS = 40


class Writer:
    """A model with random weights and its decode loop, traced once."""

    def __init__(self, architecture, tokenizer=TOKENIZER):
        self.model = TinyModel(architecture, tokenizer, has_documents=False, context_length=16)
        self.graph = decode_graph(self.model.generator)

    def __call__(self, prompts, n=6, seed=0, **inputs):
        defaults = default_inputs()
        given = {
            **defaults,
            "max_new_tokens": np.array([n], np.int32),
            "temperature": np.array([1.0], np.float32),
            "seed": np.arange(len(prompts), dtype=np.int64) + seed,
        }
        for name, value in inputs.items():
            array = np.array([value], defaults[name].dtype)
            given[name] = array.reshape(1, *[-1] * (defaults[name].ndim - 1))
        tensors = {
            name: tf.constant(value, tf.string if value.dtype == object else None)
            for name, value in given.items()
        }
        output = self.graph(tf.constant(prompts, tf.string, shape=[len(prompts)]), tensors)
        return {name: tensor.numpy() for name, tensor in output._asdict().items()}


@pytest.fixture(scope="module", params=["transformer", "lstm"])
def write(request):
    return Writer(request.param)


def pieces_of(token_ids):
    return [PIECES[token] for token in token_ids if token >= 0]


def test_the_vocabulary_is_what_the_tests_need():
    assert {b" world", b" worship", b" Bobby", b" Bob"} <= set(PIECES)
    assert pieces_of(TOKENIZER.encode("the "))[-1] == b" "
    assert pieces_of(TOKENIZER.encode("and Bobb"))[-2:] == [b" Bob", b"b"]


@pytest.mark.parametrize("prompt", ["the ", "the wor", "the w", "and Bobb", "of  "])
def test_the_first_token_begins_with_what_was_taken_off(write, prompt):
    output = write([prompt] * ROWS)
    texts, healed = output["text_bytes"], 0
    for text, token_ids in zip(texts, output["token_ids"], strict=True):
        joined = b"".join(pieces_of(token_ids))
        if joined != text:
            # The first token is a longer one, whose other bytes end the prompt.
            taken_off = joined.removesuffix(text)
            assert prompt.encode().endswith(taken_off)
            assert len(pieces_of(token_ids)[0]) > len(taken_off) > 0
            healed += 1
    assert healed
    assert (output["num_tokens"] <= 6).all()


def test_the_most_likely_token_is_the_models_choice_among_those_that_fit(write):
    model = write.model
    output = write(["the "], n=1, temperature=0.0)
    hidden = model.hidden([model.encode("the")])[:, -1]
    logits = model.logits(hidden)[0]
    fits = [piece.startswith(b" ") for piece in PIECES]
    best = int(np.argmax(np.where(fits, logits, -np.inf)))
    if PIECES[best] == b" ":
        hidden = model.hidden([model.encode("the ")])[:, -1]
        best = int(np.argmax(np.where(model.allowed, model.logits(hidden)[0], -np.inf)))
    assert output["token_ids"].tolist() == [[best]]


@pytest.mark.parametrize("prompt", ["the", ".", "the world", "", "the\n", "é"])
def test_a_whole_word_may_stay_as_it_is(write, prompt):
    output = write([prompt] * ROWS)
    assert set(output["finish_reason"].tolist()) == {b"length"}
    assert (output["num_tokens"] == 6).all()


PROMPTS = ["the ", "the wor", "é", "", "and Bobb", "of  ", "the world", "a" * 30 + " wor"]


def test_a_row_is_the_same_alone_and_in_any_batch(write):
    together = write(PROMPTS, logprobs=2)
    for row, prompt in enumerate(PROMPTS):
        alone = write([prompt], seed=row, logprobs=2)
        assert alone["text_bytes"][0] == together["text_bytes"][row]
        count = alone["num_tokens"][0]
        assert count == together["num_tokens"][row]
        for name in ("token_ids", "logprobs", "top_token_ids", "top_logprobs"):
            np.testing.assert_allclose(
                alone[name][0, :count], together[name][row, :count], rtol=1e-4
            )
        assert (together["token_ids"][row, count:] == -1).all()


@pytest.mark.parametrize("sizes", [[1] * 12, [2, 5, 9]])
def test_a_text_in_pieces_is_the_text_of_one_call(write, sizes):
    whole = write(PROMPTS, n=9)
    generator = write.model.generator
    inputs = {**default_inputs(), "max_new_tokens": np.array([9], np.int32)}
    inputs |= {
        "temperature": np.array([1.0], np.float32),
        "seed": np.arange(len(PROMPTS), dtype=np.int64),
    }
    inputs = {
        name: tf.constant(value, tf.string if value.dtype == object else None)
        for name, value in inputs.items()
    }
    prompts = tf.constant(PROMPTS)
    request = generator.request(prompts, inputs)
    state = generator.prefill(prompts, request)
    texts = np.full(len(PROMPTS), b"", object)
    for size in sizes:
        output, state = generator.decode(state, request, tf.constant([size]))
        texts = texts + output.text_bytes.numpy()
        assert (output.num_tokens.numpy() <= size + 1).all()
    assert texts.tolist() == whole["text_bytes"].tolist()
    assert set(output.finish_reason.numpy().tolist()) <= {b"length", b"stop"}


def test_a_stop_string_is_found_in_the_new_bytes_only(write):
    output = write(["the wor"] * ROWS, n=6, stop=["l"])
    for text in output["text_bytes"]:
        assert b"l" not in text[:-1]
    # "wor" is the prompt's, so it stops nothing.
    output = write(["the wor"] * ROWS, n=2, stop=["wor"])
    assert b"stop" not in output["finish_reason"][[b"wor" not in t for t in output["text_bytes"]]]


@pytest.mark.parametrize(
    "inputs", [{"banned": ["w"]}, {"no_repeat_ngram_size": 1}, {"top_k": 1}, {"mirostat_tau": 2.0}]
)
def test_controls_leave_the_end_of_the_prompt_alone(write, inputs):
    output = write(["the world the wor", "the w", "of "] * 9, **inputs)
    assert b"error" not in output["finish_reason"][output["num_tokens"] == 0]
    if "banned" in inputs:
        assert not any(b"w" in text for text in output["text_bytes"])


SEARCHES = {
    "beam_search": {"num_beams": 4, "length_penalty": 1.0},
    "contrastive_search": {"penalty_alpha": 0.3, "top_k": 4},
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_heals_prompts_too(write, name):
    found = write.model.run(name, PROMPTS, n=6, **SEARCHES[name])
    for row, prompt in enumerate(PROMPTS):
        pieces, text = pieces_of(found.token_ids[row]), found.text_bytes[row]
        taken_off = b"".join(pieces).removesuffix(text)
        assert prompt.encode().endswith(taken_off)
        alone = write.model.run(name, [prompt], n=6, **SEARCHES[name])
        assert alone.text_bytes[0] == text
        if prompt.endswith(" "):
            assert pieces[0].startswith(b" ")
            assert taken_off == b" "
    # "wor" is the prompt's, so it stops nothing.
    stopped = write.model.run(name, ["the wor"], n=3, stop=("wor",), **SEARCHES[name])
    assert stopped.finish_reason[0] != b"stop" or b"wor" in stopped.text_bytes[0]
    assert write.model.run(name, ["the "], n=0, **SEARCHES[name]).text_bytes[0] == b""


def test_a_text_without_tokens_stays_empty(write):
    output = write(["the ", "the wor"], n=0)
    assert output["text_bytes"].tolist() == [b"", b""]
    assert output["num_tokens"].tolist() == [0, 0]


def test_characters_need_no_healing():
    write = Writer("transformer", CharacterTokenizer.learn([WORDS]))
    generator = write.model.generator
    prompts = tf.constant(["the "])
    request = generator.request(prompts, default_inputs())
    state = generator.prefill(prompts, request)
    assert state.healing.numpy().tolist() == [0]
    assert state.position.numpy().tolist() == [4]

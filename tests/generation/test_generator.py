"""The decode loop: one seed one text, past the context, up to a stop."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import decode_graph
from textgen.config import ModelConfig
from textgen.generation import Generator, default_inputs
from textgen.generation.window import BLOCK
from textgen.models import build_model
from textgen.tokenizer import CharacterTokenizer

CONTEXT = 10
TOKENIZER = CharacterTokenizer.learn(["\nabcdé。"])
CONFIGS = {
    "transformer": ModelConfig(
        "transformer", num_layers=2, num_heads=2, hidden_dim=16, context_length=CONTEXT
    ),
    "lstm": ModelConfig("lstm", num_layers=2, hidden_dim=16, context_length=CONTEXT),
}


def make_generator(architecture, has_documents=False, context_length=CONTEXT):
    config = dataclasses.replace(CONFIGS[architecture], context_length=context_length)
    model = build_model(config, TOKENIZER.vocab_size)
    noise = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(noise.normal(0, 0.5, variable.shape))
    return Generator.of_model(model, TOKENIZER, has_documents)


@pytest.fixture(scope="module", params=list(CONFIGS))
def write(request):
    """Return a function that runs the decode loop as one graph."""
    return writer(make_generator(request.param))


def writer(generator):
    graph, defaults = decode_graph(generator), default_inputs()

    def run(prompts, n=30, **inputs):
        given = {"max_new_tokens": n, "temperature": 1.0, "seed": 0, **inputs}
        arrays = {
            name: np.array(value if isinstance(value, list) else [value], defaults[name].dtype)
            for name, value in given.items()
        }
        for name in ("stop", "banned", "bias_text", "bias"):
            if name in arrays:
                arrays[name] = arrays[name].reshape(1, -1)
        tensors = {
            name: tf.constant(array, tf.string if array.dtype == object else None)
            for name, array in {**defaults, **arrays}.items()
        }
        return graph(tf.constant(prompts, tf.string, shape=[len(prompts)]), tensors)

    return run


def texts(result):
    return [text.decode() for text in result.text_bytes.numpy()]


def test_a_row_is_the_same_alone_and_in_any_batch(write):
    prompts = ["a", "", "abcdabcdabcdabcdabcd", "é。"]
    together = texts(write(prompts, seed=[7, 8, 9, 10]))
    alone = [texts(write([prompt], seed=7 + i))[0] for i, prompt in enumerate(prompts)]
    assert together == alone
    assert len(set(together)) == 4


def test_a_text_is_the_beginning_of_a_longer_one(write):
    long = texts(write(["ab"], n=45))[0]
    assert long.startswith(texts(write(["ab"], n=12))[0])
    assert len(long) == 45


def test_rows_have_their_own_length_and_padding_is_minus_one(write):
    result = write(["a", "b", "c"], n=[3, 0, 5])
    assert result.num_tokens.numpy().tolist() == [3, 0, 5]
    assert (result.token_ids.numpy() == -1).sum(axis=1).tolist() == [2, 5, 0]
    assert [len(text) for text in texts(result)] == [3, 0, 5]
    assert result.finish_reason.numpy().tolist() == [b"length"] * 3


def test_the_loop_of_plain_texts_generates_what_the_other_one_does():
    for architecture in CONFIGS:
        generator = make_generator(architecture, has_documents=True)
        prompts = ["ab", "", "a", "abc"]
        asked = {"n": [40, 3, 40, 0], "seed": [1, 2, 3, 4], "temperature": [1.0, 1.0, 0.0, 1.0]}
        plain, other = (writer(generator)(prompts, **asked, logprobs=number) for number in (-1, 0))
        np.testing.assert_array_equal(plain.token_ids, other.token_ids)
        np.testing.assert_array_equal(plain.finish_reason, other.finish_reason)
        assert set(plain.finish_reason.numpy()) >= {b"length"}


def test_temperature_zero_ignores_the_seed(write):
    first, second = (texts(write(["ab"], temperature=0.0, seed=seed))[0] for seed in (1, 2))
    assert first == second
    assert first != texts(write(["ab"], temperature=1.0))[0]


def test_top_k_one_is_greedy(write):
    assert texts(write(["ab"], top_k=1)) == texts(write(["ab"], temperature=0.0))


def test_a_stop_string_of_several_bytes_ends_the_text_and_is_kept(write):
    free = texts(write(["ab"], n=40))[0]
    for stop in (free[5], free[5:8], free[2:10]):
        result = write(["ab"], n=40, stop=[stop, "not there"])
        assert texts(result)[0] == free[: free.index(stop) + len(stop)]
        assert result.finish_reason.numpy().tolist() == [b"stop"]


def test_special_tokens_are_never_written(write):
    ids = write([""] * 8, n=60, temperature=5.0, seed=list(range(8))).token_ids.numpy()
    assert ids.min() >= 3


def test_an_empty_batch_and_an_unseen_character_are_answered(write):
    assert write([]).text_bytes.shape == [0]
    assert len(texts(write(["☃"], n=4))[0]) == 4


@pytest.mark.parametrize("bias", [[3e38, 3e38], [np.inf, np.inf], [np.inf, np.nan]])
def test_a_bias_of_any_size_only_prefers_its_token(write, bias):
    assert texts(write(["ab"], n=20, bias_text=["a", "a"], bias=bias)) == ["a" * 20]


@pytest.mark.parametrize("bias", [[-3e38, -3e38], [-np.inf, 5.0], [-np.inf, np.inf]])
def test_a_negative_bias_of_any_size_only_avoids_its_token(write, bias):
    result = write(["ab"], n=60, temperature=9.0, bias_text=["a", "a"], bias=bias)
    assert result.finish_reason.numpy().tolist() == [b"length"]
    assert "a" not in texts(result)[0]


def test_minus_infinity_excludes_a_token(write):
    result = write(["ab"], n=5, bias_text=["\nabcdé。"], bias=[-np.inf])
    assert result.finish_reason.numpy().tolist() == [b"error"]


def test_bad_values_in_one_row_leave_its_neighbour_alone(write):
    good = texts(write(["ab"], seed=3))[0]
    result = write(
        ["ab"] * 2, seed=3, temperature=[1.0, float("nan")], top_p=[1.0, -2.0], top_k=[0, -5]
    )
    assert texts(result)[0] == good


def test_the_end_token_ends_a_document():
    generator = make_generator("lstm", has_documents=True)
    generator.decoder.weights["output/bias"][2].assign(50.0)
    result = writer(generator)(["a"], n=9)
    assert result.num_tokens.numpy().tolist() == [0]
    assert result.finish_reason.numpy().tolist() == [b"stop"]


def test_past_the_context_the_newest_half_is_read_again():
    generator = make_generator("transformer")
    decoder = generator.decoder
    result = writer(generator)(["ab"], n=25, temperature=0.0)
    # The same by plain means: read everything anew for every token.
    written = [TOKENIZER.prefix_id(False), *TOKENIZER.encode("ab").tolist()]
    window = list(written)
    for _ in range(25):
        if len(window) > CONTEXT:
            window = window[-(CONTEXT // 2) :]
        hidden, _ = decoder.prefill(tf.constant([window]), tf.constant([len(window)]))
        logits = decoder.logits(hidden[:, -1]).numpy()[0]
        logits[:3] = -np.inf
        window.append(int(logits.argmax()))
        written.append(window[-1])
    assert result.token_ids.numpy()[0].tolist() == written[3:]


def test_time_is_looked_at_every_few_tokens_however_long_the_context(monkeypatch):
    looks = tf.Variable(0.0, dtype=tf.float64)
    monkeypatch.setattr(tf, "timestamp", lambda: looks.assign_add(1.0))
    long = writer(make_generator("transformer", context_length=100))
    free = long(["a" * 150], n=90).token_ids.numpy()[0].tolist()
    looks.assign(0.0)
    # The request takes the first look. After the second a token fills the context; at the
    # fourth the time is up.
    late = long(["a" * 150], n=90, max_time=2.5)
    assert late.finish_reason.numpy().tolist() == [b"time"]
    assert late.token_ids.numpy()[0].tolist() == free[: 1 + BLOCK]


def test_logprobs_are_the_model_s_own_even_where_the_end_must_wait():
    generator = make_generator("lstm", has_documents=True)
    generator.decoder.weights["output/bias"][2].assign(5.0)
    write = writer(generator)
    waiting = write(["a"], n=4, min_new_tokens=4, logprobs=0, temperature=0.0)
    assert waiting.num_tokens.numpy().tolist() == [4]
    text = waiting.text_bytes.numpy()[0]
    scored = generator.score(tf.constant([b"a" + text]))
    np.testing.assert_allclose(waiting.logprobs[0], scored.logprobs[0, 1:], atol=1e-5)

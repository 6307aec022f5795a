"""Texts that copy nothing long from the corpus, by the model's own graph."""

import numpy as np
import pytest
import tensorflow as tf

from textgen.config import ModelConfig
from textgen.generation import NOVEL_INPUTS, Generator, default_inputs
from textgen.gram_table import make_table
from textgen.models import build_model
from textgen.tokenizer import BytePairTokenizer, CharacterTokenizer

NOVEL = 24  # from five passages in a row on, none is there by chance
TEXT = "low lower lowest 字字 é 明月光\n"
TOKENIZERS = {
    "characters": CharacterTokenizer.learn([TEXT]),
    "byte pairs": BytePairTokenizer.learn([TEXT] * 3, vocab_size=290),
}


def is_text(piece):
    try:
        return bool(piece.decode())
    except UnicodeDecodeError:
        return False


def make_writer(tokenizer, table=None):
    """Return a function that writes with a small random model, by one graph."""
    config = ModelConfig("lstm", num_layers=1, hidden_dim=16, context_length=24)
    model = build_model(config, tokenizer.vocab_size)
    noise = np.random.default_rng(2)
    for variable in model.trainable_variables:
        variable.assign(noise.normal(0, 0.5, variable.shape))
    # Whole characters only, so that characters can be counted.
    is_seen = np.array([is_text(piece) for piece in tokenizer.pieces])
    generator = Generator(model.decoder(), tokenizer, False, is_seen, copy_table=table)
    defaults = default_inputs() if table is None else {**default_inputs(), **NOVEL_INPUTS}
    specs = {
        name: tf.TensorSpec([None] * value.ndim, tf.as_dtype(value.dtype))
        for name, value in defaults.items()
    }
    graph = tf.function(
        generator.generate,
        input_signature=[tf.TensorSpec([None], tf.string), specs],
        autograph=False,
    )

    def write(prompts, n=50, seed=0, **inputs):
        given = {
            **defaults,
            "temperature": np.array([0.3], np.float32),
            "max_new_tokens": np.array([n], np.int32),
            "seed": np.arange(len(prompts), dtype=np.int64) + seed,
            **inputs,
        }
        tensors = {
            name: tf.constant(value, tf.string if value.dtype == object else None)
            for name, value in given.items()
        }
        rows = graph(tf.constant(prompts), tensors)
        return [row.decode("utf-8", "replace") for row in rows.text_bytes.numpy()]

    return write


@pytest.fixture(scope="module", params=list(TOKENIZERS))
def parrot(request):
    """A model whose corpus is what it likes to write; its corpus, too."""
    tokenizer = TOKENIZERS[request.param]
    corpus = "\0".join(f"low{text}" for text in make_writer(tokenizer)(["low"] * 6))
    return make_writer(tokenizer, make_table(corpus.encode())), corpus


def copies(text, corpus):
    """Where a text copies, by trying everything."""
    ends = range(NOVEL, len(text) + 1)
    return [end for end in ends if text[end - NOVEL : end] in corpus]


def test_nothing_of_that_length_stands_in_the_corpus(parrot):
    write, corpus = parrot
    prompts = ["low"] * 8
    free = write(prompts)
    found = write(prompts, novel=np.array([NOVEL], np.int32))
    num_copies = 0
    for one, other in zip(free, found, strict=True):
        assert not copies(f"low{other}", corpus)
        # It is the same text until it would have copied.
        place = next(iter(copies(f"low{one}", corpus)), len(one) + 3)
        assert other[: place - 8] == one[: place - 8]
        num_copies += place <= len(one)
    assert num_copies >= 4


def test_each_row_has_its_own_length(parrot):
    write, _ = parrot
    prompts = ["low"] * 3
    rows = write(prompts, novel=np.array([0, NOVEL, 1000], np.int32))
    free = write(prompts)
    kept = write(prompts, novel=np.array([NOVEL], np.int32))
    assert rows == [free[0], kept[1], free[2]]


def test_a_copy_that_begins_in_the_prompt_is_not_continued(parrot):
    write, corpus = parrot
    prompt = corpus[: NOVEL + 5]
    (text,) = write([prompt], novel=np.array([NOVEL], np.int32))
    assert [end for end in copies(prompt + text, corpus) if end > len(prompt)] == []


def test_a_text_of_which_every_continuation_is_a_copy_ends():
    tokenizer = CharacterTokenizer.learn(["ab"])
    corpus = "a" * 30 + "\0" + "a" * 29 + "b"
    write = make_writer(tokenizer, make_table(corpus.encode()))
    banned = np.array([["b"]], object)
    (text,) = write(["a"], banned=banned, novel=np.array([25], np.int32))
    assert text == "a" * 23

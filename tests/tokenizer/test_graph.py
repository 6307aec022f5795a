"""Graph tokenizers: which tokens contain a character, and which ops a graph may hold."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from textgen.tokenizer import BytePairTokenizer, CharacterTokenizer

CORPUS = "the cat, the hat: それは猫。それは床。 naïve née 😀😀\n" * 4
TOKENIZERS = {
    "character": CharacterTokenizer.learn([CORPUS]),
    "bpe": BytePairTokenizer.learn([CORPUS], 400),
}
GRAPHS = {kind: tokenizer.in_graph() for kind, tokenizer in TOKENIZERS.items()}
each_kind = pytest.mark.parametrize("kind", TOKENIZERS)
texts = st.text(st.sampled_from(CORPUS), max_size=3) | st.text(max_size=3)


@each_kind
def test_both_halves_have_the_same_special_tokens(kind):
    special = GRAPHS[kind].special
    assert special == TOKENIZERS[kind].special
    assert {TOKENIZERS[kind].pieces[token] for token in special} == {b""}


@each_kind
@given(
    st.integers(0, 3).flatmap(lambda m: st.lists(st.lists(texts, min_size=m, max_size=m))),
)
def test_tokens_with_finds_the_tokens_whose_bytes_contain_a_character(kind, rows):
    shape = [len(rows), len(rows[0]) if rows else 0]
    found = GRAPHS[kind].tokens_with(tf.constant(rows, tf.string, shape))
    assert found.shape == (len(rows), TOKENIZERS[kind].vocab_size)
    for row, characters in zip(found.numpy(), map("".join, rows), strict=True):
        wanted = [
            any(character.encode() in piece for character in characters)
            for piece in TOKENIZERS[kind].pieces
        ]
        assert row.tolist() == wanted


@each_kind
def test_tokens_with_treats_each_row_on_its_own(kind):
    found = GRAPHS[kind].tokens_with([["t", "", "それ"], ["", "", ""], ["☃", "\0", ""]]).numpy()
    pieces = np.array(TOKENIZERS[kind].pieces, object)
    assert {b"t", *([b" the"] if kind == "bpe" else [])} <= set(pieces[found[0]])
    assert not found[1].any()
    assert set(pieces[found[2]]) == ({b"\0"} if kind == "bpe" else set())


@each_kind
def test_the_graph_has_only_core_ops_and_nothing_to_initialize(kind, tmp_path):
    module = tf.Module()

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None, None], tf.string)]
    )
    def run(prompts, characters):
        ids, lengths = GRAPHS[kind].encode(prompts)
        return ids, lengths, GRAPHS[kind].tokens_with(characters)

    module.run = run
    tf.saved_model.save(module, str(tmp_path))
    graph = run.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    assert len(nodes) > 20
    foreign = ("assert", "pyfunc", "xla", "table", "print", ">")
    assert not {node.op for node in nodes if any(word in node.op.lower() for word in foreign)}

    loaded = tf.saved_model.load(str(tmp_path))
    for prompts in (["the cat", "", "猫☃"], ["", ""], []):
        ids, lengths, _ = loaded.run(
            tf.constant(prompts, tf.string), tf.zeros([len(prompts), 0], tf.string)
        )
        for row, length, prompt in zip(ids.numpy(), lengths.numpy(), prompts, strict=True):
            assert row[:length].tolist() == TOKENIZERS[kind].encode(prompt).tolist()

"""What a caller's texts mean as tokens, and which tokens are never sampled."""

import numpy as np
import pytest
import tensorflow as tf

from textgen.generation.bias import BiasMaker
from textgen.tokenizer import BytePairTokenizer, CharacterTokenizer

BPE = BytePairTokenizer.learn(["the LORD said; the lord said, class; " * 40], vocab_size=300)
CHARACTERS = CharacterTokenizer.learn(["\n the LORD"])


def make(tokenizer, texts=("",), bias=(0.0,), banned=("",), has_documents=False, is_seen=None):
    maker = BiasMaker(tokenizer.in_graph(), tokenizer.vocab_size, has_documents, is_seen)
    return maker(
        tf.constant([texts], tf.string), tf.constant([bias], tf.float32), tf.constant([banned])
    )[0].numpy()


def biased(tokenizer, *texts):
    """The pieces that get a bias of 1 for a text."""
    total = make(tokenizer, texts, (1.0,) * len(texts))
    return {tokenizer.pieces[i].decode() for i in np.flatnonzero(np.isfinite(total) & (total > 0))}


def test_a_word_is_meant_with_and_without_its_space():
    assert len(BPE.encode(" LORD")) == 1
    assert len(BPE.encode("LORD")) > 1
    # The letters of "LORD" must not suffer for the word.
    assert biased(BPE, "LORD") == {" LORD"}
    assert biased(BPE, " LORD") == {" LORD"}
    assert biased(BPE, "a") == {"a"} | ({" a"} if len(BPE.encode(" a")) == 1 else set())


def test_a_text_that_is_no_token_means_all_of_its_tokens():
    pieces = {BPE.decode([token]) for token in BPE.encode("zq")}
    assert biased(BPE, "zq") == pieces == {"z", "q"}
    assert biased(CHARACTERS, "LORD") == set("LORD")


def test_characters_are_meant_as_they_are():
    assert biased(CHARACTERS, "L") == {"L"}
    assert biased(CHARACTERS, " ") == {" "}
    assert biased(CHARACTERS, " L") == {"L"}


@pytest.mark.parametrize("tokenizer", [BPE, CHARACTERS], ids=["bpe", "character"])
def test_an_empty_text_means_nothing(tokenizer):
    assert biased(tokenizer, "", "") == set()


def test_biases_of_several_texts_add_up():
    total = make(CHARACTERS, ("L", "LO"), (1.0, 2.0))
    assert [total[CHARACTERS.encode(x)[0]] for x in "LOR"] == [3, 2, 0]


@pytest.mark.parametrize("tokenizer", [BPE, CHARACTERS], ids=["bpe", "character"])
def test_tokens_that_training_never_showed_are_never_sampled(tokenizer):
    special = tokenizer.special
    is_seen = np.zeros(tokenizer.vocab_size, bool)
    is_seen[tokenizer.encode("the LORD")] = True
    total = make(tokenizer, is_seen=is_seen)
    assert (np.isfinite(total) == is_seen).all()
    with_documents = make(tokenizer, is_seen=is_seen, has_documents=True)
    assert np.isfinite(with_documents[special.eos])
    # A bias does not bring them back.
    assert np.isneginf(make(tokenizer, ("\n",), (99.0,), is_seen=is_seen)[tokenizer.encode("\n")])


@pytest.mark.parametrize("tokenizer", [BPE, CHARACTERS], ids=["bpe", "character"])
def test_without_that_knowledge_only_special_tokens_are_excluded(tokenizer):
    total = make(tokenizer)
    assert np.flatnonzero(np.isneginf(total)).tolist() == sorted(tokenizer.special)

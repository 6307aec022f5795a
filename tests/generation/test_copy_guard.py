"""The graph follows copies as one finds them by trying everything."""

import numpy as np
import pytest
import tensorflow as tf

from tests.test_gram_table import contains
from textgen.generation.copy_guard import CopyGuard
from textgen.gram_table import GRAM_BYTES, make_table

CORPUS = "the quick brown fox; 字字明月光 é, and the lazy dog sleeps under the 明月. " * 2
# One token has more bytes than a passage, one ends within a character.
PIECES = [b"", *(c.encode() for c in sorted(set(CORPUS))), b"\xe5", b"\xad", b"\x97", b"the quick ",
          b"and the lazy dog sleeps under"]  # fmt: skip


def copied(table, text):
    """The characters of the copy that ends in each byte of a text."""
    sizes, run = [], None
    for end in range(1, len(text) + 1):
        is_known = end >= GRAM_BYTES and contains(table, [text[end - GRAM_BYTES : end]])[0]
        run = (end - GRAM_BYTES if run is None else run) if is_known else None
        begun = [] if run is None else [b for b in text[run:end] if b & 0xC0 != 0x80]
        sizes.append(len(begun))
    return sizes


@pytest.mark.parametrize("seed", range(6))
def test_tokens_are_followed_byte_by_byte(seed):
    noise = np.random.default_rng(seed)
    table = make_table(CORPUS.encode())
    guard = CopyGuard(table, PIECES)
    start = int(noise.integers(0, 60))
    prompts = ["", "fox", CORPUS[start : start + 50]]
    state = guard.begin(tf.constant(prompts))
    texts = [prompt.encode() for prompt in prompts]
    assert state[:, 0].numpy().tolist() == [(copied(table, t) or [0])[-1] for t in texts]
    # A text that goes on as the corpus does, with a foreign token now and then.
    after = CORPUS[start + 50 :].encode()
    tokens = []
    while len(tokens) < 40:
        fitting = [i for i, piece in enumerate(PIECES) if piece and after.startswith(piece)]
        token = int(noise.choice(fitting)) if fitting and noise.random() > 0.08 else 0
        if token == 0 and fitting:
            token = int(noise.integers(0, len(PIECES)))
        after = after[len(PIECES[token]) :] or CORPUS.encode()
        tokens.append(token)
    for token in tokens:
        state, longest = guard.advance(state, tf.fill([3], token))
        piece = PIECES[token]
        texts = [text + piece for text in texts]
        for row, text in enumerate(texts):
            sizes = copied(table, text)
            assert longest[row] == max(sizes[len(text) - len(piece) :], default=0)
            assert state[row, 0] == (sizes or [0])[-1]
            kept = bytes(b for b in state[row, 1:].numpy() if b < 256)
            assert kept == text[-GRAM_BYTES:]


def test_a_prompt_is_followed_to_its_end_however_long_it_is():
    guard = CopyGuard(make_table(CORPUS.encode()), PIECES)
    end = CORPUS[5:35]
    state = guard.begin(tf.constant(["x" * 5000 + end, end]))
    assert state[0, 0] == state[1, 0] == 30

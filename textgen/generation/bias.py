"""What is added to the logits: the caller's biases and bans, and tokens that are no text."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from textgen.config.controls import LARGE
from textgen.sampling.sampling_controls import between
from textgen.tokenizer.graph import GraphTokenizer


class BiasMaker:
    """Makes the biases of requests.

    Args:
        tokenizer: The tokenizer of the model.
        vocab_size: V.
        has_documents: Whether the EOS token was trained. If not, it is never sampled.
    """

    def __init__(self, tokenizer: GraphTokenizer, vocab_size: int, has_documents: bool) -> None:
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        special = tokenizer.special
        silent = [i for i in special if not (has_documents and i == special.eos)]
        self._is_silent = np.isin(np.arange(vocab_size), silent)

    def __call__(self, texts: tf.Tensor, bias: tf.Tensor, banned: tf.Tensor) -> tf.Tensor:
        """Return what is added to the logits, float32[B, V].

        Args:
            texts: string[B, L], whose tokens get a bias.
            bias: float32[B, L], one per text, in [-1e6, 1e6] or -inf.
            banned: string[B, M]; tokens with one of their characters are banned.
        """
        # Their sum must stay finite: at infinity no token would be more likely than another.
        bias = tf.where(bias == -np.inf, bias, between(bias, -LARGE, LARGE, invalid=0.0))
        named = tf.cast(self._tokens_of(texts), tf.float32)
        total = tf.reduce_sum(tf.math.multiply_no_nan(bias[..., None], named), 1)
        total = tf.where(self._tokenizer.tokens_with(banned), -np.inf, total)
        return tf.where(self._is_silent, -np.inf, total)

    def _tokens_of(self, texts):
        """Which tokens each text consists of, bool[B, L, V]."""
        ids, lengths = self._tokenizer.encode(tf.reshape(texts, [-1]))
        is_token = tf.sequence_mask(lengths, tf.shape(ids)[1])
        hits = tf.one_hot(ids, self._vocab_size, on_value=True, off_value=False, dtype=tf.bool)
        found = tf.reduce_any(hits & is_token[..., None], 1)
        return tf.reshape(found, [*tf.unstack(tf.shape(texts)), self._vocab_size])

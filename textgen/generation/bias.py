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
        is_seen: bool[V], the tokens of the training part. Other tokens are never sampled,
            such as the bytes of characters that the corpus does not have. `None` if unknown.
    """

    def __init__(
        self,
        tokenizer: GraphTokenizer,
        vocab_size: int,
        has_documents: bool,
        is_seen: np.ndarray | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._is_silent = np.zeros(vocab_size, bool) if is_seen is None else ~is_seen
        # Tokens without bytes are special, or fill up a published vocabulary.
        self._is_silent[[not piece for piece in tokenizer.all_pieces]] = True
        self._is_silent[tokenizer.eos_ids] = not has_documents

    def __call__(self, texts: tf.Tensor, bias: tf.Tensor, banned: tf.Tensor) -> tf.Tensor:
        """Return what is added to the logits, float32[B, V].

        Args:
            texts: string[B, L], whose tokens get a bias. A word that is one token, with or
                without a space before it, means that token; of any other text all tokens get
                the bias.
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
        """Which tokens each text means, bool[B, L, V]."""
        given = tf.reshape(texts, [-1])
        sizes = tf.strings.length(given)
        has_space = tf.equal(
            tf.strings.substr(given, tf.zeros_like(sizes), tf.fill(tf.shape(sizes), 1)), " "
        )
        start = tf.cast(has_space, tf.int32)
        stripped = tf.strings.substr(given, start, sizes - start)
        other = tf.where(has_space, stripped, tf.strings.join([" ", given]))
        other = tf.where(tf.equal(given, ""), "", other)
        ids, lengths = self._tokenizer.encode(tf.concat([given, other], 0))
        lengths = tf.reshape(lengths, [2, -1])
        is_single = tf.equal(lengths, 1)
        # The given form counts as a whole if neither is one token.
        is_meant = is_single | (~tf.reduce_any(is_single, 0) & [[True], [False]])
        lengths = tf.reshape(tf.where(is_meant, lengths, 0), [-1])
        is_token = tf.sequence_mask(lengths, tf.shape(ids)[1])
        hits = tf.one_hot(ids, self._vocab_size, on_value=True, off_value=False, dtype=tf.bool)
        found = tf.reduce_any(hits & is_token[..., None], 1)
        found = tf.reshape(found, [2, *tf.unstack(tf.shape(texts)), self._vocab_size])
        return tf.reduce_any(found, 0)

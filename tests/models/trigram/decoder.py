"""The trigram model that generates; its state is the embedding of the newest token."""

from __future__ import annotations

import tensorflow as tf

from textgen.models.base import Decoder


class TrigramDecoder(Decoder):
    """Prefill and step; the state is (embedding [B, D],), zeros before the first token."""

    @property
    def max_positions(self):
        return None

    def prefill(self, token_ids, lengths, state=None):
        x = tf.gather(self.weights["embedding"], token_ids)
        before = tf.zeros_like(x[:, 0]) if state is None else state[0]
        padded = tf.concat([before[:, None], x], 1)
        pairs = tf.concat([padded[:, :-1], x], -1)
        hidden = tf.tanh(self._mix(tf.reshape(pairs, [-1, 2 * self.config.hidden_dim])))
        return tf.reshape(hidden, tf.shape(x)), (tf.gather(padded, lengths, batch_dims=1),)

    def step(self, token_ids, state, position, looked_up=()):
        x = tf.gather(self.weights["embedding"], token_ids)
        return tf.tanh(self._mix(tf.concat([state[0], x], 1))), (x,)

    def logits(self, hidden):
        return self.dense(hidden, "output")

    def _mix(self, pairs):
        return self.dense(pairs, "mix")

"""What the decode loop records for every token."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from textgen.generation.rows import largest
from textgen.generation.state import NO_TOKEN


class TokenOutputs(NamedTuple):
    """The outputs with one value per token; see `GenerationOutput`.

    Inside the loop the token's index is the first dimension, the row the second.
    """

    token_ids: tf.Tensor
    logprobs: tf.Tensor
    top_token_ids: tf.Tensor
    top_logprobs: tf.Tensor


class TokenRecorder:
    """Records tokens and, if any row asks for them, their log-probabilities.

    Args:
        logprobs: int32[B], how many alternatives each row asks for; see `Request`.
        vocab_size: V.

    Attributes:
        is_asked: bool[], whether any row asks for log-probabilities.
    """

    def __init__(self, logprobs: tf.Tensor, vocab_size: int) -> None:
        self._batch_size = tf.shape(logprobs)[0]
        self.is_asked = tf.reduce_any(logprobs >= 0)
        self._num_alternatives = tf.minimum(largest(logprobs), vocab_size)
        # One alternative if none is asked for: TensorFlow cannot update an empty tensor.
        self._width = tf.maximum(self._num_alternatives, 1)

    def empty(self, size: tf.Tensor | int) -> TokenOutputs:
        """Return outputs with room for `size` tokens per row."""
        measured = tf.where(self.is_asked, size, 0)
        ranked = [measured, self._batch_size, self._width]
        return TokenOutputs(
            tf.fill([size, self._batch_size], NO_TOKEN),
            tf.zeros([measured, self._batch_size]),
            tf.fill(ranked, NO_TOKEN),
            tf.zeros(ranked),
        )

    def record_token(self, outputs: TokenOutputs, i: tf.Tensor, token: tf.Tensor) -> TokenOutputs:
        """Record token `i` of every row, int32[B], -1 after a row's end."""
        return outputs._replace(token_ids=_put(outputs.token_ids, i, token))

    def record_tokens(self, outputs: TokenOutputs, i: tf.Tensor, tokens: tf.Tensor) -> TokenOutputs:
        """Record tokens `i` and later of a single row, int32[N], -1 after its end."""
        indices = i + tf.range(tf.shape(tokens)[0])
        token_ids = tf.tensor_scatter_nd_update(
            outputs.token_ids, indices[:, None], tokens[:, None]
        )
        return outputs._replace(token_ids=token_ids)

    def record(
        self, outputs: TokenOutputs, i: tf.Tensor, token: tf.Tensor, logits: tf.Tensor
    ) -> TokenOutputs:
        """Record token `i` of every row, and what its logits say if any row asks for it.

        Args:
            outputs: From `empty`, with the previous tokens.
            i: int32[].
            token: int32[B], -1 after a row's end.
            logits: float32[B, V], of the model alone.
        """

        def measure():
            logprobs = tf.nn.log_softmax(logits)
            top = tf.math.top_k(logprobs, self._width)
            own = tf.gather(logprobs, tf.maximum(token, 0), batch_dims=1)
            is_text = token >= 0
            values = (
                tf.where(is_text, own, 0.0),
                tf.where(is_text[:, None], top.indices, NO_TOKEN),
                tf.where(is_text[:, None], top.values, 0.0),
            )
            return tuple(map(lambda output, value: _put(output, i, value), outputs[1:], values))

        measured = tf.cond(self.is_asked, measure, lambda: tuple(outputs[1:]))
        return TokenOutputs(_put(outputs.token_ids, i, token), *measured)

    def prepend(self, first: TokenOutputs, outputs: TokenOutputs) -> TokenOutputs:
        """Put one token before the others, in the rows that have it.

        Args:
            first: Outputs of one token, -1 in the rows without it.
            outputs: The other outputs.
        """
        is_missing = tf.cast(first.token_ids[0] < 0, tf.int32)
        counts = tf.math.count_nonzero(outputs.token_ids >= 0, 0, dtype=tf.int32) + 1 - is_missing

        def join(one, others):
            # The last row is for texts that lack the first token.
            joined = tf.concat([one, others, one], 0)
            size = tf.minimum(largest(counts), tf.shape(joined)[0])
            index = is_missing + tf.range(size)[:, None]
            return tf.gather(_transpose(joined), tf.transpose(index), batch_dims=1)

        return tf.nest.map_structure(lambda *pair: _transpose(join(*pair)), first, outputs)

    def batch_first(self, outputs: TokenOutputs) -> TokenOutputs:
        """Return the outputs with the row as the first dimension."""
        outputs = tf.nest.map_structure(_transpose, outputs)
        return outputs._replace(
            top_token_ids=outputs.top_token_ids[:, :, : self._num_alternatives],
            top_logprobs=outputs.top_logprobs[:, :, : self._num_alternatives],
        )


def _put(output, i, value):
    return tf.tensor_scatter_nd_update(output, tf.reshape(i, [1, 1]), tf.expand_dims(value, 0))


def _transpose(output):
    return tf.transpose(output, [1, 0, *range(2, output.shape.rank)])

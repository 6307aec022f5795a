"""What comes out of the decode loop and the searches, batch first everywhere.

Letters in shapes: B batch, N tokens generated, K alternatives, T tokens of the longest text. The
names of the fields are those of outputs in exported signatures: add fields, but never rename
them.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

# The finish reasons, by the number that the loops keep.
FINISH_REASONS = ("", "stop", "length", "time", "error")
RUNNING, STOP, LENGTH, TIME, ERROR = range(len(FINISH_REASONS))


class GenerationOutput(NamedTuple):
    """What one call of the decode loop generated.

    Attributes:
        text_bytes: string[B], the UTF-8 bytes of the new text.
        token_ids: int32[B, N], the new tokens; -1 after a row's end.
        num_tokens: int32[B].
        finish_reason: string[B]: `stop` (EOS token or a stop string), `length`, `time`,
            `error` (no token could be chosen), or empty if the text is not finished.
        logprobs: float32[B, N], natural logarithms of the tokens' probabilities in the
            model's own distribution, before any sampling control; N is 0 if no row
            asks for them.
        top_token_ids: int32[B, N, K], the most likely tokens at each position; K is the
            largest number that any row asks for.
        top_logprobs: float32[B, N, K], their log-probabilities.
    """

    text_bytes: tf.Tensor
    token_ids: tf.Tensor
    num_tokens: tf.Tensor
    finish_reason: tf.Tensor
    logprobs: tf.Tensor
    top_token_ids: tf.Tensor
    top_logprobs: tf.Tensor


class BeamSearchOutput(NamedTuple):
    """What beam search found: the finished hypothesis with the best score in every row.

    Attributes:
        text_bytes: string[B], the UTF-8 bytes of the new text.
        token_ids: int32[B, N], the new tokens; -1 after a row's end.
        num_tokens: int32[B].
        finish_reason: string[B]: `stop`, `length`, or `error` (no token could be chosen).
        logprob: float32[B], natural logarithm of the text's probability, including that of
            its EOS token, if any, and the bias of its tokens.
        score: float32[B], `logprob` after the length penalty. Both are 0 if nothing was
            searched for or found.
    """

    text_bytes: tf.Tensor
    token_ids: tf.Tensor
    num_tokens: tf.Tensor
    finish_reason: tf.Tensor
    logprob: tf.Tensor
    score: tf.Tensor


class ContrastiveSearchOutput(NamedTuple):
    """What contrastive search generated.

    Attributes:
        text_bytes: string[B], the UTF-8 bytes of the new text.
        token_ids: int32[B, N], the new tokens; -1 after a row's end.
        num_tokens: int32[B].
        finish_reason: string[B]: `stop`, `length`, or `error` (no token could be chosen).
        logprob: float32[B], natural logarithm of the text's probability in the model's own
            distribution, including that of its EOS token, if any.
    """

    text_bytes: tf.Tensor
    token_ids: tf.Tensor
    num_tokens: tf.Tensor
    finish_reason: tf.Tensor
    logprob: tf.Tensor


class ScoreOutput(NamedTuple):
    """How likely texts are to the model.

    Attributes:
        token_ids: int32[B, T]; -1 after a row's end.
        logprobs: float32[B, T], natural logarithm of every token's probability after
            those before it; 0 after a row's end.
        logprob: float32[B], their sum.
        num_tokens: int32[B].
    """

    token_ids: tf.Tensor
    logprobs: tf.Tensor
    logprob: tf.Tensor
    num_tokens: tf.Tensor


class TokenScoreOutput(NamedTuple):
    """How likely given tokens are to the model.

    Attributes:
        logprobs: float32[B, T], natural logarithm of every token's probability after those
            before it in its row.
        best_logprobs: float32[B, T], that of the most likely token at each position. Where the
            two are equal, the model's first choice was right.
    """

    logprobs: tf.Tensor
    best_logprobs: tf.Tensor

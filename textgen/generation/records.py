"""What goes into the decode loop and the searches and what comes out, the batch first everywhere.

Letters in shapes: B batch, V vocabulary, C context length, N tokens written, S stop strings.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from textgen.models.base import State
from textgen.sampling import SamplingControls

# What a row's `finish_reason` says, by the number the loop keeps.
FINISH_REASONS = ("", "stop", "length", "time", "error")
RUNNING, STOP, LENGTH, TIME, ERROR = range(5)
# Stands where there is no token.
NO_TOKEN = -1


class Request(NamedTuple):
    """What is asked for, one value a row.

    Attributes:
        max_new_tokens: int32[B].
        min_new_tokens: int32[B]; before, the text does not end.
        deadline: float64[B], when writing ends, in seconds since 1970.
        logprobs: int32[B], how many alternatives to report beside each token's own
            logarithmic probability; negative reports neither.
        stop: string[B, S], UTF-8; the text ends with the first of these to appear in it,
            which is kept. Empty strings are ignored, S may be 0.
        bias: float32[B, V], added to the logits; -inf where a token must not be written.
        controls: how to choose a token.
    """

    max_new_tokens: tf.Tensor
    min_new_tokens: tf.Tensor
    deadline: tf.Tensor
    logprobs: tf.Tensor
    stop: tf.Tensor
    bias: tf.Tensor
    controls: SamplingControls


class Writing(NamedTuple):
    """Texts being written.

    All that their future depends on beside the request: written in several calls, for
    streaming, a text is the one that a single call writes.

    Attributes:
        token: int32[B], the newest token, which the decoder has not read yet.
        position: int32[B], tokens in the decoder's state.
        recent: int32[B, C], the newest tokens of prompt and text, `token` the last of
            them; -1 on the left where there are fewer.
        count: int32[B], tokens written.
        finish: int32[B], index into FINISH_REASONS.
        tail: string[B], the newest bytes written, for the stop strings.
        mu: float32[B], mirostat's, from the token before.
        state: the decoder's.
    """

    token: tf.Tensor
    position: tf.Tensor
    recent: tf.Tensor
    count: tf.Tensor
    finish: tf.Tensor
    tail: tf.Tensor
    mu: tf.Tensor
    state: State


class Written(NamedTuple):
    """What one call wrote.

    Attributes:
        text_bytes: string[B], the UTF-8 bytes of the new text.
        token_ids: int32[B, N], the new tokens; -1 behind a row's end.
        num_tokens: int32[B].
        finish_reason: string[B]: `stop` (end of text, or a stop string), `length`, `time`,
            `error` (no token could be chosen), or empty where the text goes on.
        logprobs: float32[B, N], natural logarithms of the tokens' probabilities in the
            model's own distribution, before any sampling control; N is 0 where no row
            asked for them.
        top_token_ids: int32[B, N, K], the likeliest tokens at each place; K is the largest
            number any row asked for.
        top_logprobs: float32[B, N, K], their logarithmic probabilities.
    """

    text_bytes: tf.Tensor
    token_ids: tf.Tensor
    num_tokens: tf.Tensor
    finish_reason: tf.Tensor
    logprobs: tf.Tensor
    top_token_ids: tf.Tensor
    top_logprobs: tf.Tensor


class BeamSearched(NamedTuple):
    """What beam search found: the finished hypothesis of every row that scores best.

    Attributes:
        text_bytes: string[B], the UTF-8 bytes of the new text.
        token_ids: int32[B, N], the new tokens; -1 behind a row's end.
        num_tokens: int32[B].
        finish_reason: string[B]: `stop`, `length`, or `error` (no token could be chosen).
        logprob: float32[B], natural logarithm of its probability, that of the end token
            included where it came to one, and the bias of its tokens.
        score: float32[B], `logprob` after the length penalty. Both are 0 where nothing was
            searched for or found.
    """

    text_bytes: tf.Tensor
    token_ids: tf.Tensor
    num_tokens: tf.Tensor
    finish_reason: tf.Tensor
    logprob: tf.Tensor
    score: tf.Tensor


class ContrastiveSearched(NamedTuple):
    """What contrastive search wrote.

    Attributes:
        text_bytes: string[B], the UTF-8 bytes of the new text.
        token_ids: int32[B, N], the new tokens; -1 behind a row's end.
        num_tokens: int32[B].
        finish_reason: string[B]: `stop`, `length`, or `error` (no token could be chosen).
        logprob: float32[B], natural logarithm of the text's probability in the model's own
            distribution, that of the end token included where it came to one.
    """

    text_bytes: tf.Tensor
    token_ids: tf.Tensor
    num_tokens: tf.Tensor
    finish_reason: tf.Tensor
    logprob: tf.Tensor

"""What goes into the decode loop and the searches, batch first everywhere.

Letters in shapes: B batch, V vocabulary, C context length, S stop strings. The names of the
fields are those of tensors in exported signatures: add fields, but never rename them.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from textgen.models.base import State
from textgen.sampling import SamplingControls

# Stands for a missing token.
NO_TOKEN = -1


class Request(NamedTuple):
    """What a caller asks for, one value per row.

    Attributes:
        max_new_tokens: int32[B].
        min_new_tokens: int32[B]; the text does not end before it has this many tokens.
        deadline: float64[B], the time at which generation ends, in seconds since 1970.
        logprobs: int32[B], how many alternatives to report with each token's own
            log-probability; a negative number reports neither.
        stop: string[B, S], UTF-8; the text ends with the first of these to appear in it, which
            is kept. Empty strings are ignored, and S may be 0.
        bias: float32[B, V], added to the logits; -inf bans a token.
        automaton: string[B], what each text must follow (`textgen.constraints.encoding`); empty if
            nothing. One row may stand for all.
        automaton_state: int32[B], where in it the text begins.
        controls: How to choose a token.
        novel: int32[B], how many characters in a row no text copies; 0 if that does not matter.
            Only if the model has a table of its corpus.
    """

    max_new_tokens: tf.Tensor
    min_new_tokens: tf.Tensor
    deadline: tf.Tensor
    logprobs: tf.Tensor
    stop: tf.Tensor
    bias: tf.Tensor
    automaton: tf.Tensor
    automaton_state: tf.Tensor
    controls: SamplingControls
    novel: tf.Tensor = ()


class GenerationState(NamedTuple):
    """Texts in the middle of their generation.

    Together with the request it determines how they continue: a text that is generated in
    several calls, for streaming, is the one that a single call generates.

    Attributes:
        token: int32[B], the newest token, which the decoder has not processed yet.
        position: int32[B], tokens in the decoder's state.
        recent: int32[B, C], the newest tokens of prompt and text, `token` the last of
            them; -1 on the left if there are fewer.
        count: int32[B], tokens generated.
        finish: int32[B], index into FINISH_REASONS.
        tail: string[B], the newest bytes of the text, for the stop strings.
        mu: float32[B], Mirostat's mu from the previous token.
        healing: int32[B], the bytes taken off the prompt, with which the first token must begin,
            as a node of the prefix tree; 0 if there are none (`textgen.generation.healing`).
        followed: int32[B], the state of the text's automaton.
        state: The decoder's state.
        copied: int32[B, 1 + K], what the text has copied; see `textgen.generation.copy_guard`.
            Only if the model has a table of its corpus.
    """

    token: tf.Tensor
    position: tf.Tensor
    recent: tf.Tensor
    count: tf.Tensor
    finish: tf.Tensor
    tail: tf.Tensor
    mu: tf.Tensor
    healing: tf.Tensor
    followed: tf.Tensor
    state: State
    copied: tf.Tensor = ()

"""What one iteration of the decode loop passes to the next."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from textgen.generation.state import GenerationState
from textgen.generation.token_outputs import TokenOutputs


class Iteration(NamedTuple):
    """What one iteration of the decode loop passes to the next.

    Attributes:
        outputs: The tokens of this block.
        overhang: int32[B], bytes of the last token that follow its stop string.
        state: The texts.
    """

    outputs: TokenOutputs
    overhang: tf.Tensor
    state: GenerationState

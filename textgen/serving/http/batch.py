"""A batch of texts in progress, which rows may join and leave.

A SavedModel keeps nothing between two calls of `decode`: the state of every text is in tensors
whose first dimension is the row. So texts of different requests become one batch when their
states are put on top of each other, and one of them leaves when its row is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from textgen.runtime import SavedModel
from textgen.runtime.rows import Arrays, as_array, stack, take_rows


@dataclass(frozen=True)
class Prompt:
    """What one row starts from.

    Attributes:
        inputs: One row of each input of the signature `prefill`; those left out, in all rows
            alike, have their defaults.
        token_bias: What to add to the logits of single tokens, by id.
    """

    inputs: Mapping[str, np.ndarray]
    token_bias: Mapping[int, float]


class Batch:
    """Decodes rows together.

    Args:
        model: An exported model.
    """

    def __init__(self, model: SavedModel) -> None:
        self._model = model
        # Tensors while the rows stay the same, so that they are passed on without a copy.
        self._state: dict[str, Any] = {}
        self.size = 0

    def add(self, prompts: Sequence[Prompt]) -> None:
        """Process the prompts and append a row for each of them.

        Args:
            prompts: At least one.

        Raises:
            GenerationError: If the model cannot process them; the batch is unchanged.
        """
        inputs = {
            name: stack([prompt.inputs[name] for prompt in prompts]) for name in prompts[0].inputs
        }
        state: dict[str, Any] = dict(self._model.run_tensors("prefill", **inputs))
        if any(prompt.token_bias for prompt in prompts):
            state["state_bias"] = _add_token_bias(state["state_bias"].numpy(), prompts)
        if self.size:
            state = {
                name: stack([as_array(self._state[name]), as_array(value)])
                for name, value in state.items()
            }
        self._state = state
        self.size += len(prompts)

    def keep(self, rows: Sequence[int]) -> None:
        """Drop every row that is not named.

        Args:
            rows: Row numbers, in ascending order.
        """
        if len(rows) == self.size:
            return
        self._state = take_rows(self._state, rows)
        self.size = len(rows)
        if not rows:
            self._state = {}

    def decode(self, num_tokens: int) -> Arrays:
        """Generate at most `num_tokens` tokens in every row.

        Returns:
            The outputs of `generate` for these tokens; `finish_reason` is empty in rows that
            may continue.

        Raises:
            GenerationError: If the model fails; the batch is unchanged.
        """
        outputs = self._model.run_tensors(
            "decode", num_tokens=np.full(self.size, num_tokens, np.int32), **self._state
        )
        self._state = {name: outputs.pop(name) for name in self._state}
        return {name: tensor.numpy() for name, tensor in outputs.items()}


def _add_token_bias(bias: np.ndarray, prompts: Sequence[Prompt]) -> np.ndarray:
    biased = bias.copy()
    for row, prompt in enumerate(prompts):
        for token_id, value in prompt.token_bias.items():
            biased[row, token_id] += value
    return biased

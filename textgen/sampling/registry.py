"""Which filter a control of the table turns on."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

Function = Callable[..., tf.Tensor]


class Filter(NamedTuple):
    """A function from logits to logits.

    Attributes:
        function: Takes the logits first; its other parameters are called by their names,
            which are those of controls, or of what `Chain` provides: `history`, `counts`,
            `breakers`, `xtc_number` and `mu`.
        parameters: The names of its other parameters.
    """

    function: Function
    parameters: tuple[str, ...]

    def __call__(self, logits: tf.Tensor, values: dict[str, Any]) -> tf.Tensor:
        """Apply the function with its parameters taken from `values`."""
        return self.function(logits, **{name: values[name] for name in self.parameters})

    def takes(self, name: str) -> bool:
        """Whether the function has a parameter of that name."""
        return name in self.parameters


FILTERS: dict[str, Filter] = {}


def turned_on_by(control: str) -> Callable[[Function], Function]:
    """Register a function as the filter that runs if any row sets a control.

    Args:
        control: Name of the control. Its row of the table says which value is off, and its
            stage and place in the table say when the filter runs.
    """

    def register(function: Function) -> Function:
        _, *parameters = inspect.signature(function).parameters
        FILTERS[control] = Filter(function, tuple(parameters))
        return function

    return register

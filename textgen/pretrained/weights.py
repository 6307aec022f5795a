"""Turn the tensors of a checkpoint into the weights of a family, by the family's table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from textgen.errors import PublishedModelError
from textgen.models.published import DIMENSIONS, Format, Weight
from textgen.pretrained.tensors import Tensors

# More weights than any machine today trains or serves with this package.
MAX_PARAMETERS = 20_000_000_000


class PublishedWeights(Mapping[str, np.ndarray]):
    """The weights of a model by the names that its family knows, float32.

    Each is read when it is asked for, so that no two copies of all are in memory.

    Args:
        tensors: What the checkpoint holds.
        table: How the family's weights are called there.
        config: The shape of the model.
        vocab_size: Number of tokens, V. Rows for more, which pad some checkpoints, are left out.

    Raises:
        PublishedModelError: If a tensor is missing or has another shape, or if one is left over.
    """

    def __init__(self, tensors: Tensors, table: Format, config: Any, vocab_size: int) -> None:
        self._tensors = tensors
        self._vocab_size = vocab_size
        self._dims = {
            letter: value
            for letter, name in DIMENSIONS.items()
            if (value := getattr(config, name, None)) is not None
        }
        self._dims.setdefault("K", self._dims["D"] // self._dims["H"])
        self._found: dict[str, tuple[Weight, str]] = {}
        for weight in table.weights:
            setting, value = weight.condition or ("", None)
            if weight.condition and getattr(config, setting) is not value:
                continue
            blocks = range(config.num_layers) if "{}" in weight.name else (0,)
            for block in blocks:
                names = [prefix + weight.theirs.format(block) for prefix in table.prefixes]
                theirs = next((name for name in names if name in tensors.shapes), None)
                if theirs is None:
                    raise PublishedModelError(f"The checkpoint has no tensor {names[0]}.")
                self._check(weight, theirs)
                self._found[weight.name.format(block)] = (weight, theirs)
        used = {theirs for _, theirs in self._found.values()}
        over = sorted(
            name for name in tensors.shapes if name not in used and not name.endswith(table.ignored)
        )
        if over:
            raise PublishedModelError(
                "The checkpoint has weights that a model of its kind does not have, such as "
                f"{over[0]}."
            )
        count = sum(math.prod(self._shape(weight.shape)) for weight, _ in self._found.values())
        if count > MAX_PARAMETERS:
            raise PublishedModelError(
                f"A model must have {MAX_PARAMETERS:,} weights or fewer. Received: {count:,}"
            )
        self.num_parameters = count

    def _check(self, weight: Weight, theirs: str) -> None:
        shape = self._tensors.shapes[theirs]
        expected = self._shape(weight.their_shape)
        rows = weight.their_shape.split().index("V") if "V" in weight.their_shape else None
        if rows is not None and len(shape) == len(expected):
            if shape[rows] < self._vocab_size:
                raise PublishedModelError(
                    f"The tokenizer has {self._vocab_size:,} tokens, but {theirs} has only "
                    f"{shape[rows]:,}."
                )
            expected = (*expected[:rows], shape[rows], *expected[rows + 1 :])
        if shape != expected:
            raise PublishedModelError(
                f"{theirs} must have the shape {list(expected)}. Received: {list(shape)}"
            )

    def _shape(self, shape: str) -> tuple[int, ...]:
        """Return the sizes that the letters of a shape stand for."""
        return tuple(math.prod(map(self._size, dimension)) for dimension in shape.split())

    def _size(self, letter: str) -> int:
        if letter == "V":
            return self._vocab_size
        return int(letter) if letter.isdecimal() else self._dims[letter]

    def __getitem__(self, name: str) -> np.ndarray:
        weight, theirs = self._found[name]
        value = self._tensors.read(theirs)
        dimensions = weight.their_shape.split()
        for axis, dimension in enumerate(dimensions):
            if dimension.startswith("3"):
                value = np.split(value, 3, axis)[weight.part]
            elif dimension == "V":
                value = value[(slice(None),) * axis + (slice(self._vocab_size),)]
        if weight.is_interleaved:
            # [2 x n rows of n pairs] to the first of all pairs, then the second.
            pairs = value.reshape(-1, self._dims["K"] // 2, 2, value.shape[-1])
            value = pairs.swapaxes(1, 2).reshape(value.shape)
        if "".join(dimensions).replace("3", "") != weight.shape.replace(" ", ""):
            value = value.T
        value = np.ascontiguousarray(value, dtype=np.float32)
        if not np.isfinite(value).all():
            raise PublishedModelError(f"{theirs} holds numbers that are not finite.")
        return value.reshape(self._shape(weight.shape))

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

"""Low-rank adapters: small matrices that are trained while the model's own do not change.

A kernel W becomes W + A B, where A and B have only a few columns and rows (Hu et al. 2021,
https://arxiv.org/abs/2106.09685). A begins random and B with zeros, so that training begins at
the model as it is. For the decoder the product is added to the kernel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import numpy as np

from textgen.errors import ConfigError
from textgen.keras_internals import base_kernel, dense_layers, enable_adapter


def layer_of(name: str) -> int | None:
    """Return the index of the layer that a weight belongs to, by its name, or `None`."""
    match = re.match(r"[a-z]+_(\d+)/", name)
    return int(match[1]) if match else None


class Adapters:
    """The adapters of a model, and the only weights of it that train.

    Args:
        model: A built model.
        variables: Its variables by name. None of them is trainable any longer.
        rank: Columns of A and rows of B.
        seed: Seed of A.
        first_layer: The first layer whose kernels are adapted. Those outside layers are not.

    Raises:
        ConfigError: If no kernel can be adapted.
    """

    def __init__(
        self,
        model: keras.Model,
        variables: Mapping[str, keras.Variable],
        rank: int,
        seed: int,
        first_layer: int = 0,
    ) -> None:
        layers = {id(base_kernel(layer)): layer for layer in dense_layers(model)}

        def is_adapted(name: str) -> bool:
            layer = layer_of(name)
            return layer is not None and layer >= first_layer

        for variable in variables.values():
            variable.trainable = False
        self._layers = {
            name: layers[id(variable)]
            for name, variable in variables.items()
            if id(variable) in layers and is_adapted(name)
        }
        if not self._layers:
            raise ConfigError(
                "adapter_rank needs a model with attention or feed-forward layers. "
                f"Received: {rank}"
            )
        for index, layer in enumerate(self._layers.values()):
            enable_adapter(layer, rank)
            shape = tuple(layer.lora_kernel_a.shape)
            limit = np.sqrt(6 / np.prod(shape[:-1]))  # He et al. 2015
            generator = np.random.default_rng([seed, index])
            layer.lora_kernel_a.assign(generator.uniform(-limit, limit, shape))

    def added_to(self, name: str, weight: np.ndarray) -> np.ndarray:
        """Return a weight of the model with its adapter added, float32, if it has one.

        Args:
            name: The weight's name.
            weight: Its value.
        """
        if name not in self._layers:
            return weight
        return weight + np.matmul(*_factors(self._layers[name]))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return A and B of every adapter in float16, as `NAME/a` and `NAME/b`."""
        found = {}
        for name, layer in self._layers.items():
            for part, value in zip("ab", _factors(layer), strict=True):
                found[f"{name}/{part}"] = value.astype(np.float16)
        return found

    def save(self, path: Path) -> None:
        """Write `arrays` as a compressed NumPy archive.

        Raises:
            OSError: If the file cannot be written.
        """
        with path.open("wb") as file:
            np.savez_compressed(file, **self.arrays())  # type: ignore[arg-type]


class MergedWeights(Mapping[str, np.ndarray]):
    """The weights of a model by name, with its adapters added, float32.

    Each is copied when it is read, because memory may not hold a second copy of a large model.

    Args:
        variables: The variables of the model by name.
        adapters: Its adapters, if it has any.
    """

    def __init__(self, variables: Mapping[str, keras.Variable], adapters: Adapters | None) -> None:
        self._variables = variables
        self._adapters = adapters

    def __getitem__(self, name: str) -> np.ndarray:
        weight = np.asarray(self._variables[name])
        return self._adapters.added_to(name, weight) if self._adapters else weight

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def _factors(layer: keras.layers.Layer) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(layer.lora_kernel_a), np.asarray(layer.lora_kernel_b)

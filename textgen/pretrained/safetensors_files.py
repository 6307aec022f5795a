"""Tensors in safetensors files, one or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from textgen.errors import PublishedModelError
from textgen.pretrained.packages import need
from textgen.pretrained.source_folder import SourceFolder

_FLOATS = ("F64", "F32", "F16", "BF16")
_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.pth", "model.pt")


class SafetensorsTensors:
    """The tensors of safetensors files; see `textgen.pretrained.tensors.Tensors`.

    Args:
        paths: The files.

    Raises:
        PublishedModelError: If a file is truncated or damaged.

    Reference:
        https://huggingface.co/docs/safetensors
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._library = need("safetensors", "Reading a safetensors file")
        self._files: dict[str, Any] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        for path in paths:
            try:
                file = self._library.safe_open(path, "numpy")
                for name in file.keys():  # noqa: SIM118 - it is no dictionary
                    self._files[name] = file
                    self._shapes[name] = tuple(file.get_slice(name).get_shape())
            except (self._library.SafetensorError, OSError, ValueError) as error:
                raise PublishedModelError(f"{path} is truncated or damaged ({error}).") from error

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of every tensor."""
        return self._shapes

    def read(self, name: str) -> np.ndarray:
        """Return a tensor; see `Tensors`."""
        dtype = self._files[name].get_slice(name).get_dtype()
        if dtype not in _FLOATS:
            raise PublishedModelError(
                f"{name} must hold {', '.join(_FLOATS)}. Received: {dtype}, as in a quantized model"
            )
        return self._files[name].get_tensor(name)


def find_safetensors(source: SourceFolder) -> SafetensorsTensors:
    """Return the tensors of a Hugging Face folder.

    Raises:
        PublishedModelError: If it has no safetensors files, or not all of them.
    """
    if (path := source.path(_WHOLE)) is not None:
        return SafetensorsTensors([path])
    index = source.json(_INDEX)
    if index is None:
        pickles = [name for name in _PICKLES if source.path(name) is not None]
        if pickles:
            raise PublishedModelError(
                f"{source.folder / pickles[0]} is a pickle. It is not read, because a pickle "
                "can run any code. Convert the model to safetensors, for example with "
                "save_pretrained of transformers, or look for a newer copy of it."
            )
        raise PublishedModelError(f"{source.folder} has no weights: there is no {_WHOLE}.")
    names = index.get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise PublishedModelError(f"{source.folder / _INDEX} has no weight_map.")
    paths = {name: source.path(name) for name in sorted(set(names.values()))}
    if missing := [name for name, path in paths.items() if path is None]:
        raise PublishedModelError(f"{source.folder} lacks the file {missing[0]} of its index.")
    return SafetensorsTensors([path for path in paths.values() if path is not None])

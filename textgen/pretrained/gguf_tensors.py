"""The tensors of a GGUF file, dequantized by the package `gguf`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from textgen.errors import PublishedModelError
from textgen.pretrained.gguf_header import Header
from textgen.pretrained.packages import need


class GGUFTensors:
    """The tensors of a GGUF file as float32; see `textgen.pretrained.tensors.Tensors`.

    Args:
        content: The file.
        header: Its header.

    Raises:
        PublishedModelError: If the file is truncated, or the type of a tensor unknown.
    """

    def __init__(self, content: memoryview, header: Header) -> None:
        library = need("gguf", "Reading a GGUF file")
        self._dequantize = library.quants.dequantize
        self._content = content
        self._entries = header.tensors
        self._kinds = {}
        for name, entry in header.tensors.items():
            try:
                self._kinds[name] = library.GGMLQuantizationType(entry.kind)
                per_block, num_bytes = library.GGML_QUANT_SIZES[self._kinds[name]]
            except (ValueError, KeyError) as error:
                raise PublishedModelError(f"{name} has an unknown type ({entry.kind}).") from error
            width = entry.shape[-1]
            total = math.prod(entry.shape) // per_block * num_bytes
            if width % per_block or entry.offset + total > len(content):
                raise PublishedModelError(
                    f"The GGUF file is truncated or damaged: {name} goes past the end of the file."
                )
        self._sizes = library.GGML_QUANT_SIZES

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of every tensor."""
        return {name: entry.shape for name, entry in self._entries.items()}

    def read(self, name: str) -> np.ndarray:
        """Return a tensor; see `Tensors`."""
        entry, kind = self._entries[name], self._kinds[name]
        per_block, num_bytes = self._sizes[kind]
        row = entry.shape[-1] // per_block * num_bytes
        rows = math.prod(entry.shape[:-1])
        data = np.frombuffer(self._content, np.uint8, rows * row, entry.offset)
        try:
            return self._dequantize(data.reshape(rows, row), kind).reshape(entry.shape)
        except NotImplementedError as error:
            raise PublishedModelError(
                f"{name} is quantized as {kind.name}, which the package gguf cannot read."
            ) from error

"""The model that a path of TensorFlow Serving's API names."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from textgen.serving.http.errors import ApiError, PredictError
from textgen.serving.http.served import ServedModel
from textgen.serving.http.shelf import Shelf


class NamedVersion:
    """A model in use until the end of a block.

    Args:
        shelf: The models.
        path: The path's `name`, and its `version` if it has one.
        message: TensorFlow Serving's words for a model that is not there, with `{}` for it.
    """

    def __init__(self, shelf: Shelf, path: dict[str, Any], message: str) -> None:
        self._shelf = shelf
        self._name = path["name"]
        self._version = path.get("version")
        self._message = message
        self._stack = ExitStack()

    def __enter__(self) -> ServedModel:
        names = [self._name]
        if self._version is not None:
            names.append(f"{self._name}/{self._version}")
        for name in names:
            try:
                _, served = self._stack.enter_context(self._shelf.use(name))
            except ApiError:
                continue
            if self._version in (None, str(served.entry.version)):
                return served
        self._stack.close()
        spec = f"Latest({self._name})"
        if self._version is not None:
            spec = f"Specific({self._name}, {self._version})"
        raise PredictError(404, self._message.format(spec))

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

"""The model that a run begins from: its weights, its tokenizer and its shape."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgen.config import ModelConfig
from textgen.digests import digest_file, digest_json
from textgen.errors import CheckpointError, ModelDamagedError
from textgen.models.precision import WideWeights
from textgen.tokenizer import Tokenizer

if TYPE_CHECKING:
    import numpy as np

# TensorFlow's name for a SavedModel's weights, in its folder `variables`.
_WEIGHTS = "variables"


@dataclass(frozen=True)
class Parent:
    """The model that a run begins from.

    Attributes:
        name: The model's name.
        version: The version's number, or `None` for a SavedModel outside a version folder.
        digest: SHA-256 of its weights and its tokenizer in hexadecimal.
        config: Its shape.
        tokenizer: Its tokenizer.
        folder: The folder with its weights: a SavedModel, or what a run keeps of it.
        license: The license that it was published under, if known.
        chat_template: How a dialogue becomes a prompt, if it has a chat template.
        unseen: Ids of the tokens that it has not learned, if known.
    """

    name: str
    version: int | None
    digest: str
    config: ModelConfig
    tokenizer: Tokenizer
    folder: Path
    license: str | None = None
    chat_template: str | None = None
    unseen: list[int] | None = None

    def __post_init__(self) -> None:
        if self.unseen is None:
            return
        size = self.tokenizer.vocab_size
        if not all(type(token) is int and 0 <= token < size for token in self.unseen):
            rule = f"ids of unseen tokens must be integers in [0, {size - 1}]"
            raise ModelDamagedError(f"{self.folder}: the model card is damaged: {rule}.")

    @classmethod
    def read(
        cls,
        name: str,
        version: int | None,
        folder: Path,
        config: ModelConfig,
        tokenizer: Tokenizer,
        license: str | None = None,
        chat_template: str | None = None,
        unseen: list[int] | None = None,
    ) -> Parent:
        """Return the parent whose weights are in a folder.

        Raises:
            ModelDamagedError: If the weights cannot be read.
        """
        try:
            digest = _digest(folder, tokenizer)
        except OSError as error:
            raise ModelDamagedError(f"{folder}: the weights cannot be read ({error}).") from error
        return cls(name, version, digest, config, tokenizer, folder, license, chat_template, unseen)

    @classmethod
    def from_dict(
        cls, values: dict[str, Any], config: ModelConfig, tokenizer: Tokenizer, folder: Path
    ) -> Parent:
        """Return the parent that a run recorded; see `to_dict`.

        Raises:
            KeyError: If a value is missing.
            TypeError: If a value has another type.
            ModelDamagedError: If an id is not one of the tokenizer's.
        """
        name, version, digest = (values[key] for key in ("name", "version", "digest"))
        more = [values.get(key) for key in ("license", "chat_template", "unseen")]
        texts = (name, digest, *(text for text in more[:2] if text is not None))
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("the parent has a text of another type")
        return cls(name, version, digest, config, tokenizer, folder, *more)

    @property
    def label(self) -> str:
        """The name, with the version if there is one, such as `"mine/2"`."""
        return self.name if self.version is None else f"{self.name}/{self.version}"

    def to_dict(self) -> dict[str, Any]:
        """Return all but the shape, the tokenizer and the folder, as JSON values."""
        names = ("name", "version", "digest", "license", "chat_template", "unseen")
        return {name: getattr(self, name) for name in names}

    def keep(self, folder: Path) -> None:
        """Link or copy the weights into a folder, so that the model may be deleted.

        Raises:
            OSError: If the folder cannot be written.
        """
        target = folder / _WEIGHTS
        target.mkdir(parents=True, exist_ok=True)
        for path in _weight_files(self.folder):
            link_or_copy(path, target / path.name)

    def weights(self) -> Mapping[str, np.ndarray]:
        """Return the decoder's weights by name, in float32. Each is read when it is asked for.

        Raises:
            CheckpointError: If they are no longer those that the run began with.
            ModelDamagedError: If they cannot be read, now or later.
        """
        with _reporting_damage(self.folder):
            if _digest(self.folder, self.tokenizer) != self.digest:
                raise CheckpointError(
                    f"The files of {self.label}, from which the run began, have changed since: "
                    f"{self.folder}. Begin a new run."
                )
            return WideWeights(_StoredArrays(self.folder))


class _StoredArrays(Mapping[str, "np.ndarray"]):
    """The arrays in a SavedModel's file of weights, each read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._folder = folder
        self._reader = tf.train.load_checkpoint(str(folder / _WEIGHTS / _WEIGHTS))
        self._shapes = self._reader.get_variable_to_shape_map()

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._shapes:
            raise KeyError(name)
        with _reporting_damage(self._folder):
            return self._reader.get_tensor(name)

    def __contains__(self, name: object) -> bool:
        return name in self._shapes

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)


@contextlib.contextmanager
def _reporting_damage(folder: Path) -> Iterator[None]:
    import tensorflow as tf

    try:
        yield
    # TensorFlow raises ValueError or IndexError for a file that is cut short.
    except (OSError, ValueError, IndexError, RuntimeError, tf.errors.OpError) as error:
        raise ModelDamagedError(
            f"{folder}: the weights are missing or damaged ({str(error).partition(chr(10))[0]})."
        ) from error


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Link a file that never changes, or copy it: not every file system has hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _weight_files(folder: Path) -> list[Path]:
    return sorted((folder / _WEIGHTS).glob(f"{_WEIGHTS}.*"))


def _digest(folder: Path, tokenizer: Tokenizer) -> str:
    files = {path.name: digest_file(path) for path in _weight_files(folder)}
    if not files:
        raise FileNotFoundError(f"there is no file in {folder / _WEIGHTS}")
    return digest_json({"weights": files, "tokenizer": tokenizer.to_dict()})

"""Checkpoints: every number a run needs to continue, in one numpy archive per step.

An archive (.npz) carries a CRC of each array, holds no pickled objects and can be read without
TensorFlow. It is written to a temporary path, then renamed into place, so a killed process
leaves the previous checkpoint.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from textgen.arrays import read_archive
from textgen.errors import CheckpointError
from textgen.files import replace_atomically

logger = logging.getLogger(__name__)

_NAME = re.compile(r"step-(\d{8,})\.npz")
_PROGRESS = "progress"


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: Where to keep them; created with the first one.
        keep: Number of newest checkpoints to keep.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder = folder
        self.keep = keep

    def save(self, step: int, arrays: Mapping[str, np.ndarray], progress: dict[str, Any]) -> None:
        """Write the checkpoint of `step`, then remove old ones and half-written files.

        Args:
            step: Steps done.
            arrays: Weights and optimizer slots, by name.
            progress: Whatever else is needed to continue, as JSON values.

        Raises:
            OSError: If the folder cannot be written. Earlier checkpoints are untouched.
        """
        _write(self.folder / f"step-{step:08d}.npz", arrays, progress)
        for path in (*self._newest_first()[self.keep :], *self.folder.glob(".*.npz.*")):
            path.unlink(missing_ok=True)

    def save_best(self, arrays: Mapping[str, np.ndarray], progress: dict[str, Any]) -> None:
        """Write the weights of the best validation so far."""
        _write(self.folder / "best.npz", arrays, progress)

    def load_best(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return what the last `save_best` wrote.

        Raises:
            CheckpointError: If it is missing or damaged.
        """
        return _read(self.folder / "best.npz")

    @property
    def is_empty(self) -> bool:
        """Whether no checkpoint was ever written; the best weights may have been."""
        return not self._newest_first()

    def load_newest(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the newest checkpoint that can be read. A damaged one causes a warning.

        Raises:
            CheckpointError: If there is none.
        """
        for path in self._newest_first():
            try:
                return _read(path)
            except CheckpointError as error:
                logger.warning("%s Trying the previous one.", error)
        raise CheckpointError(f"There is no usable checkpoint in {self.folder}.")

    def _newest_first(self) -> list[Path]:
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        steps = {path: int(match[1]) for path in paths if (match := _NAME.fullmatch(path.name))}
        return sorted(steps, key=steps.__getitem__, reverse=True)


def _write(path: Path, arrays: Mapping[str, np.ndarray], progress: dict[str, Any]) -> None:
    text = np.frombuffer(json.dumps(progress).encode(), np.uint8)
    # Progress comes last, so an archive whose list of contents is cut short lacks it.
    everything: dict[str, Any] = {**arrays, _PROGRESS: text}
    # Written array by array: an archive in memory would be as large as weights and slots.
    with replace_atomically(path) as file:
        np.savez(file, **everything)


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    try:
        arrays = read_archive(path)
        progress = json.loads(arrays.pop(_PROGRESS).tobytes())
        if not isinstance(progress, dict):
            raise ValueError("it holds no progress")
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise CheckpointError(f"The checkpoint {path} is missing or damaged ({error}).") from error
    return arrays, progress

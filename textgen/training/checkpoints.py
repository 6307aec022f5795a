"""Checkpoints: every number a run needs to go on, in one numpy archive a step.

An archive (.npz) carries a CRC of each array, holds no pickled objects and can be
read without TensorFlow. It is written beside its place and renamed, so that a killed
process leaves the checkpoint before.
"""

from __future__ import annotations

import json
import logging
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from textgen.errors import CheckpointError
from textgen.files import replace_atomically

logger = logging.getLogger(__name__)

_NAME = re.compile(r"step-(\d{8,})\.npz")
_PROGRESS = "progress"


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: made with the first checkpoint.
        keep: how many of the newest stay.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder = folder
        self.keep = keep

    def save(self, step: int, arrays: Mapping[str, np.ndarray], progress: dict[str, Any]) -> None:
        """Write the checkpoint of `step`, then remove the oldest and what a kill left half-written.

        Args:
            step: steps done.
            arrays: weights and optimizer slots, by name.
            progress: what else must be known to go on; JSON values.

        Raises:
            OSError: the folder cannot be written; earlier checkpoints are untouched.
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
            CheckpointError: it is missing or damaged.
        """
        return _read(self.folder / "best.npz")

    def load_newest(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the newest checkpoint that can be read; a damaged one gives a warning.

        Raises:
            CheckpointError: there is none.
        """
        for path in self._newest_first():
            try:
                return _read(path)
            except CheckpointError as error:
                logger.warning("%s Trying the one before.", error)
        raise CheckpointError(f"There is no usable checkpoint in {self.folder}.")

    def _newest_first(self) -> list[Path]:
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        steps = {path: int(match[1]) for path in paths if (match := _NAME.fullmatch(path.name))}
        return sorted(steps, key=steps.__getitem__, reverse=True)


def _write(path: Path, arrays: Mapping[str, np.ndarray], progress: dict[str, Any]) -> None:
    text = np.frombuffer(json.dumps(progress).encode(), np.uint8)
    # Progress last: an archive whose list of contents was cut short lacks it.
    everything: dict[str, Any] = {**arrays, _PROGRESS: text}
    # Array by array: an archive made in memory would be as large as weights and slots.
    with replace_atomically(path) as file:
        np.savez(file, **everything)


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return arrays, json.loads(arrays.pop(_PROGRESS).tobytes())
    # RuntimeError: a flipped bit can make an entry look encrypted or of another version.
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"The checkpoint {path} is missing or damaged ({error}).") from error

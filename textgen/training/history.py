"""The history of a run: its validations and samples as JSON lines, and TensorBoard events."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

from textgen.errors import ConfigError
from textgen.files import open_plain, write_atomically
from textgen.reporter import Validation


class History:
    """Writes history.jsonl, and samples and TensorBoard events if their paths are given.

    Args:
        path: The .jsonl file.
        tensorboard: The folder for TensorBoard's event files, or `None`.
        samples: The .jsonl file for samples, or `None`.

    Raises:
        ConfigError: If TensorBoard is asked for but not installed.
    """

    def __init__(
        self, path: Path, tensorboard: Path | None = None, samples: Path | None = None
    ) -> None:
        if tensorboard and importlib.util.find_spec("tensorboard") is None:
            raise ConfigError(
                "TensorBoard's event files need the package tensorboard: pip install tensorboard"
            )
        self.path = path
        self._samples = samples
        self._tensorboard = tensorboard
        self._writer: Any = None

    def rewind(self, step: int) -> None:
        """Remove what was recorded after `step`: a resumed run records it again."""
        for path in filter(None, (self.path, self._samples)):
            try:
                with open_plain(path) as file:
                    kept = [line for line in file if _step_of(line) <= step]
            except FileNotFoundError:
                continue
            write_atomically(path, b"".join(kept))

    def record(self, validation: Validation) -> None:
        """Append a validation.

        Raises:
            OSError: If the line cannot be written, which leaves the file as it was, or if only
                TensorBoard's event cannot be written.
        """
        values = dataclasses.asdict(validation)
        _append(self.path, values)
        if self._tensorboard:
            self._record_scalars(values)

    def record_sample(self, step: int, text: str) -> None:
        """Append a text that the model generated. If the disk is full, it is left out."""
        if self._samples is None:
            return
        with contextlib.suppress(OSError):
            _append(self._samples, {"step": step, "text": text})

    def _record_scalars(self, values: dict[str, Any]) -> None:
        import tensorflow as tf

        try:
            if self._writer is None:
                self._writer = tf.summary.create_file_writer(str(self._tensorboard))
            with self._writer.as_default(step=values["step"]):
                for name, value in values.items():
                    if name != "step" and not isinstance(value, bool | None):
                        tf.summary.scalar(name, value)
            self._writer.flush()
        except tf.errors.OpError as error:
            # Nothing after half an event can be read, so the next one begins a new file.
            self._writer = None
            # TensorFlow's file errors are not OSErrors, which callers expect. Their messages
            # begin with the name of a graph node and end with lines about TensorFlow's insides.
            reason = error.message.rpartition("}} ")[2].partition("\n")[0]
            raise OSError(f"Cannot write {self._tensorboard}: {reason}") from error


def _append(path: Path, values: dict[str, Any]) -> None:
    """Append a line, or leave the file as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = path.stat().st_size if path.exists() else 0
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")
    except OSError:
        # Half a line would spoil the next one.
        with contextlib.suppress(OSError):
            os.truncate(path, size)
        raise


def _step_of(line: bytes) -> float:
    """Return the step of a line. One that is damaged or cut short counts as after every step."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return float("inf")
    return step if isinstance(step, int) else float("inf")

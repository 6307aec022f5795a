"""The names of everything that training runs write into a model's folder.

NAME/train/            the newest run
NAME/train.new/        a run before its first step
NAME/train.previous/   the previous run
NAME/train.lock        locked while a run is in progress
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RunFolder:
    """The folder of one training run.

    Args:
        path: The folder, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # What a run is made of; complete once settings exist.
        self.settings = path / "config.json"
        self.tokenizer = path / "tokenizer.json"
        self.tokens = path / "tokens"
        self.parent = path / "parent"
        self.teacher = path / "teacher"
        # What training adds.
        self.checkpoints = path / "checkpoints"
        self.history = path / "history.jsonl"
        self.samples = path / "samples.jsonl"
        self.tensorboard = path / "tensorboard"
        self.exported = path / "exported.json"

    def discard(self) -> None:
        """Remove the folder, if there is one."""
        shutil.rmtree(self.path, ignore_errors=True)

    @contextmanager
    def discarded_on_error(self) -> Iterator[None]:
        """Remove the folder if the block fails: on a full disk its tokens would be in the way."""
        try:
            yield
        except BaseException:
            self.discard()
            raise


class ModelRuns:
    """The training runs in a model's folder.

    Args:
        model_folder: The model's folder, which need not exist.
    """

    def __init__(self, model_folder: Path) -> None:
        self.model_folder = model_folder
        self.newest = RunFolder(model_folder / "train")
        self.new = RunFolder(model_folder / "train.new")
        self.previous = RunFolder(model_folder / "train.previous")
        self.lock = model_folder / "train.lock"

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model_folder.name

    def start_new(self) -> None:
        """Make the new run the newest. The one it replaces may hold hours of work: keep it."""
        if self.newest.path.exists():
            self.previous.discard()
            self.newest.path.rename(self.previous.path)
        self.new.path.rename(self.newest.path)

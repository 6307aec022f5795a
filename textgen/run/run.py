"""A run's folder: what is in it, and how it is read and written."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textgen.config import RunConfig
from textgen.corpus import CorpusFacts
from textgen.dataset import TokenStore
from textgen.errors import CheckpointError, ConfigError
from textgen.files import write_atomically
from textgen.tokenizer import Tokenizer, load_tokenizer

# Of a run that goes on, these may differ from what it began with.
RESUMABLE = frozenset(
    {"max_steps", "patience", "validate_every", "strategy", "accumulate", "keep_checkpoints"}
)


@dataclass(frozen=True)
class Run:
    """A run's folder and what is in it.

    Attributes:
        folder: of the run.
        config: what the run was asked to do.
        corpus: facts about its corpus, as the model card states them.
        tokenizer: learned from the training part.
        store: the tokens of both parts.
    """

    folder: Path
    config: RunConfig
    corpus: CorpusFacts
    tokenizer: Tokenizer
    store: TokenStore

    @property
    def has_documents(self) -> bool:
        """Whether the corpus is whole documents."""
        return self.corpus.has_documents

    @property
    def tokens_per_character(self) -> float:
        """Of the validation part, for bits per character."""
        return self.store.validation.size / self.corpus.validation_characters


def tokenizer_kind(config: RunConfig) -> str:
    """Return the tokenizer that a run asks for, which may leave the choice to its corpus."""
    return config.model.profile.tokenizer if config.tokenizer == "auto" else config.tokenizer


def write_settings(run: Run) -> None:
    """Write what a run is besides its tokens.

    Raises:
        OSError: the folder cannot be written.
    """
    run.tokenizer.save(run.folder / "tokenizer.json")
    # Written last: a run whose config.json is there is complete.
    settings = {"run": run.config.to_dict(), "corpus": run.corpus.to_dict()}
    write_atomically(run.folder / "config.json", json.dumps(settings, indent=2).encode())


def reopen_run(folder: Path, changes: dict[str, Any]) -> Run:
    """Read a run's folder.

    Args:
        folder: of the run.
        changes: settings asked for now, by name; only those of `RESUMABLE` may differ.

    Raises:
        CheckpointError: there is no run, or its settings are damaged.
        ConfigError: a setting differs that must not, or there is none of a name.
        TextgenError: its tokenizer or its tokens are damaged.
    """
    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = RunConfig.from_dict(settings["run"])
        corpus = CorpusFacts.from_dict(settings["corpus"])
    except FileNotFoundError:
        raise CheckpointError(f"There is no run to resume in {folder}.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder}: config.json is damaged ({error}).") from error
    began = _flat(config)
    if unknown := sorted(changes.keys() - began.keys()):
        raise ConfigError(f"changes must name settings of a run. Received: {', '.join(unknown)}")
    for name, value in changes.items():
        if value != began[name] and name not in RESUMABLE:
            flag = "--model" if name == "architecture" else "--" + name.replace("_", "-")
            raise ConfigError(
                f"{flag} cannot change in a run that is resumed; it began with {began[name]!r}. "
                f"Received: {value!r}"
            )
    training = {name: value for name, value in changes.items() if name in RESUMABLE}
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, **training))
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    store = TokenStore(folder / "tokens")
    store.check(tokenizer.vocab_size)
    return Run(folder, config, corpus, tokenizer, store)


def _flat(config: RunConfig) -> dict[str, Any]:
    """All settings of a run by their own names, which no two parts share."""
    values = config.to_dict()
    parts = [values.pop(name) for name in ("corpus", "model", "training")]
    return {key: value for part in (*parts, values) for key, value in part.items()}


def replan(run: Run, config: RunConfig) -> Run:
    """Return a run that has not begun to train, with another model or another training.

    Args:
        run: from `begin_run` or `begin_like`; its folder gets the new settings.
        config: the same as the run's in all that has a part in the tokens.

    Raises:
        OSError: the folder cannot be written.
    """
    new = dataclasses.replace(run, config=config)
    write_settings(new)
    return new


def replace_run(folder: Path, new: Path) -> None:
    """Put a new run in the place of the one before, which may hold hours of work: keep it."""
    if folder.exists():
        previous = folder.with_name("train.previous")
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
    new.rename(folder)


def discard_run(new: Path) -> None:
    """Leave no trace of a run that could not start."""
    shutil.rmtree(new, ignore_errors=True)


@contextmanager
def discarding_run(new: Path) -> Iterator[None]:
    """Discard a new run where the block fails: on a full disk its tokens would be in the way."""
    try:
        yield
    except BaseException:
        discard_run(new)
        raise

"""A training run on disk: its settings, corpus facts, tokenizer and tokens."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from textgen.config import RunConfig
from textgen.corpus import CorpusFacts
from textgen.dataset import TokenStore
from textgen.digests import digest_file, digest_json
from textgen.errors import CheckpointError, ConfigError
from textgen.files import read_json, write_atomically
from textgen.metrics import bits, unknown_nats
from textgen.prompt_template import PLAIN_TEMPLATE
from textgen.run.folder import RunFolder
from textgen.run.parent import Parent
from textgen.tokenizer import Tokenizer, load_tokenizer

# The settings that may change when a run is resumed.
RESUMABLE = frozenset(
    {"max_steps", "patience", "validate_every", "strategy", "accumulate", "keep_checkpoints"}
)


@dataclass(frozen=True)
class Run:
    """A training run: what it was asked to do, and the tokens it learns from.

    Attributes:
        folder: The run's folder.
        config: The run's settings.
        corpus: Facts about the corpus.
        tokenizer: The tokenizer: the parent's, or one learned from the training part.
        store: The tokens of the training and the validation part.
        parent: The model that the run begins from, if there is one.
        files: The files it learns from, as they were called when it began; see `Corpus`.
    """

    folder: RunFolder
    config: RunConfig
    corpus: CorpusFacts
    tokenizer: Tokenizer
    store: TokenStore
    parent: Parent | None = None
    files: tuple[str, ...] = ()

    @property
    def has_documents(self) -> bool:
        """Whether the corpus consists of whole documents."""
        return self.corpus.has_documents

    def bits_per_character(self, loss: float) -> float:
        """Return a loss on the text that the model is validated with, in bits per character.

        Args:
            loss: In nats per token.

        Returns:
            Bits, which are comparable across tokenizers: each character that the model does not
            know also costs the bits to name it.
        """
        return bits(loss) * self._per_character[0] + self._per_character[1]

    @cached_property
    def _per_character(self) -> tuple[float, float]:
        """Tokens, and bits for naming unknown characters, per character."""
        part, characters = "validation", self.corpus.validation_characters
        if not characters:
            part, characters = "train", self.corpus.train_characters
        num_unknown = 0
        if (unknown := self.tokenizer.special.own_unknown) is not None:
            num_unknown = self.store.count_learned(part, unknown)
        price = bits(unknown_nats(self.tokenizer.vocab_size))
        return self.store.num_learned(part) / characters, num_unknown * price / characters

    @property
    def chat_template(self) -> str | None:
        """The template of prompts or dialogues; `None` if the model has none."""
        template = template_source(self.config, self.parent)
        has_prompts = self.corpus.has_prompts
        return template if has_prompts or (self.parent and self.parent.chat_template) else None

    def seen_tokens(self) -> np.ndarray | None:
        """Return the tokens that the model has learned, bool[V], or `None` if unknown."""
        is_seen = self.store.seen(self.tokenizer.vocab_size)
        if self.parent is None:
            return is_seen
        if self.parent.unseen is None:
            return None
        by_parent = np.ones_like(is_seen)
        by_parent[self.parent.unseen] = False
        return is_seen | by_parent

    def save(self) -> None:
        """Write everything but the tokens to the run's folder.

        Raises:
            OSError: If the folder cannot be written.
        """
        self.tokenizer.save(self.folder.tokenizer)
        # Written last: a run that has settings is complete.
        settings = {
            "run": self.config.to_dict(),
            "corpus": self.corpus.to_dict(),
            "tokenizer": digest_file(self.folder.tokenizer),
            "files": list(self.files),
        }
        if self.parent is not None:
            settings["parent"] = self.parent.to_dict()
        settings["digest"] = digest_json(settings)
        write_atomically(self.folder.settings, json.dumps(settings, indent=2).encode())

    def with_config(self, config: RunConfig) -> Run:
        """Return a run that has not taken a step, saved with another model or training.

        Args:
            config: The new settings. They must agree in everything that shapes the tokens.

        Raises:
            OSError: If the folder cannot be written.
        """
        run = dataclasses.replace(self, config=config)
        run.save()
        return run


def template_source(config: RunConfig, parent: Parent | None) -> str:
    """Return the template of a run's prompts: its own, its parent's, or a plain one."""
    return config.corpus.template or (parent and parent.chat_template) or PLAIN_TEMPLATE


def tokenizer_kind(config: RunConfig) -> str:
    """Return the tokenizer that a run asks for; `"auto"` leaves the choice to its corpus."""
    return config.model.profile.tokenizer if config.tokenizer == "auto" else config.tokenizer


def reopen_run(folder: RunFolder, changes: Mapping[str, Any] | None = None) -> Run:
    """Read a run's folder.

    Args:
        folder: The run's folder.
        changes: Settings to change, by name. Only those in `RESUMABLE` may differ.

    Raises:
        CheckpointError: If there is no run, or its settings are damaged.
        ConfigError: If a setting differs that must not, or does not exist.
        TextgenError: If the tokenizer or the tokens are damaged.
    """
    try:
        settings = read_json(folder.settings)
        if settings.pop("digest") != digest_json(settings):
            raise ValueError("it has changed since it was written")
        config = RunConfig.from_dict(settings["run"])
        corpus = CorpusFacts.from_dict(settings["corpus"])
        # Earlier versions did not record them.
        files = tuple(map(str, settings.get("files", ())))
    except FileNotFoundError:
        raise CheckpointError(f"There is no run to resume in {folder.path}.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder.settings} is damaged ({error}).") from error
    config = _changed(config, changes or {})
    tokenizer = load_tokenizer(folder.tokenizer)
    if digest_file(folder.tokenizer) != settings["tokenizer"]:
        raise CheckpointError(
            f"{folder.tokenizer} is damaged: it has changed since it was written."
        )
    parent = None
    if "parent" in settings:
        try:
            parent = Parent.from_dict(settings["parent"], config.model, tokenizer, folder.parent)
        except (TypeError, KeyError) as error:
            raise CheckpointError(f"{folder.settings} is damaged ({error!r}).") from error
    store = TokenStore(folder.tokens)
    store.check(tokenizer.vocab_size, has_validation=corpus.validation_characters > 0)
    return Run(folder, config, corpus, tokenizer, store, parent, files)


def _changed(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    """Return the settings of a resumed run."""
    original = config.to_settings()
    if unknown := sorted(changes.keys() - original.keys()):
        raise ConfigError(f"Unknown settings of a run: {', '.join(unknown)}")
    for name, value in changes.items():
        if value != original[name] and name not in RESUMABLE:
            raise ConfigError(
                f"{name} cannot change in a run that is resumed; it began with "
                f"{original[name]!r}. Received: {value!r}"
            )
    training = {name: value for name, value in changes.items() if name in RESUMABLE}
    return dataclasses.replace(config, training=dataclasses.replace(config.training, **training))

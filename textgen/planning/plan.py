"""A plan: settings for a run, and what to expect of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from textgen.config import RunConfig
from textgen.planning.corpus_size import COMPRESSED_CHARACTERS, CorpusSize
from textgen.planning.machine import Machine

# Bits per character relative to those of bzip2, by the number of epochs;
# see docs/explanation/recipe.md.
_LEAST_BITS, _MORE_BITS, _POWER = 0.6, 0.374, 0.2
_MEMORY = 5.0  # so many further readings are worth as much as all there could ever be
_FEWEST_STEPS = 100  # before them a model knows little more than which tokens are frequent


@dataclass(frozen=True)
class Plan:
    """Settings for a run, and what to expect of it; as a string, two lines for people.

    Attributes:
        config: the settings.
        corpus: what they were made for.
        machine: where.
        step_seconds: estimate for a step.
        closing_seconds: estimate for the last validation and the export.
        seconds: estimate for all that is to be done, from now to the exported model.
    """

    config: RunConfig
    corpus: CorpusSize
    machine: Machine
    step_seconds: float
    closing_seconds: float
    seconds: float

    @property
    def tokens(self) -> int:
        """Tokens read in training, again and again where there are few."""
        training = self.config.training
        return training.max_steps * training.batch_size * self.config.model.context_length

    @property
    def epochs(self) -> float:
        """How often the training part is read."""
        return self.tokens / max(self.corpus.train_tokens, 1)

    @property
    def bits_per_character(self) -> float:
        """Estimate of the validation loss in bits a character, that of a guess at most.

        Reading a text again is worth less every time (Muennighoff et al. 2023,
        https://arxiv.org/abs/2305.16264).
        """
        epochs = self.epochs / self.corpus.rereading
        worth = min(epochs, 1.0) + _MEMORY * (1 - math.exp(-max(epochs - 1, 0.0) / _MEMORY))
        worth *= max(1.0, self.corpus.train_characters / COMPRESSED_CHARACTERS)
        bits = self.corpus.compressed_bits * (_LEAST_BITS + _MORE_BITS * worth**-_POWER)
        return min(bits, self.corpus.guessed_bits)

    def __str__(self) -> str:
        """Return the plan in two lines, the second about what comes in and out."""
        model, training = self.config.model, self.config.training
        characters = self.corpus.train_characters + self.corpus.validation_characters
        bits = self.bits_per_character
        expected = (
            f"expect about {bits:.1f} bits a character ({bits * math.log(2):.1f} nats), "
            "give or take a fifth."
        )
        if training.max_steps < _FEWEST_STEPS:
            expected = "expect little of so few steps."
        return (
            f"Plan: {model.architecture} {model.num_layers} x {model.hidden_dim}, "
            f"context {model.context_length}, batch {training.batch_size}, "
            f"{training.max_steps:,} steps of about {self.step_seconds:.2g} s: "
            f"{_duration(self.seconds)} on {self.machine.description}.\n"
            f"Corpus: {_amount(characters)} characters, read "
            f"{self.epochs:.2g} times; {expected}"
        )


def _duration(seconds: float) -> str:
    """Say a duration in the unit that gives two digits or so."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 99.5 * 60:
        return f"{seconds / 60:.2g} min"
    return f"{seconds / 3600:,.1f} h"


def _amount(number: int) -> str:
    """Say a large number to three digits."""
    for unit, name in ((10**9, "billion"), (10**6, "million"), (10**3, "thousand")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return str(number)

"""A plan: settings for a run, and what to expect of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from textgen.config import RunConfig
from textgen.planning.corpus_size import COMPRESSED_CHARACTERS, CorpusSize
from textgen.planning.machine import Machine

# The loss as a multiple of bzip2's bits per character, by epochs; see docs/explanation/recipe.md.
_BASE, _SCALE, _EXPONENT = 0.6, 0.374, 0.2
# Twice as many as the planner plans with its usual dropouts.
_MEMORIZED_EPOCHS = 40
# All epochs after the first together are worth at most this many.
_MAX_WORTH_OF_REPEATS = 5.0


@dataclass(frozen=True)
class Plan:
    """Settings for a run, and what to expect of it.

    Attributes:
        config: The settings.
        steps: Estimated number of steps. With a time limit, `config` only has their maximum.
        corpus: The size of the corpus they suit.
        machine: The machine they suit.
        step_seconds: Estimated seconds per step.
        closing_seconds: Estimated seconds for the export.
        seconds: Estimated seconds from now to the exported model.

    Example:
        >>> plan = textgen.plan(["corpus.txt"], "mine", hidden_dim=64, max_steps=5)
        >>> plan.tokens == 5 * plan.config.training.batch_size * plan.config.model.context_length
        True
        >>> 0 < plan.bits_per_character < 8
        True
    """

    config: RunConfig
    steps: int
    corpus: CorpusSize
    machine: Machine
    step_seconds: float
    closing_seconds: float
    seconds: float

    @property
    def tokens(self) -> int:
        """Tokens processed in training, repetitions included."""
        training = self.config.training
        window = training.window(self.config.model.context_length)
        return self.steps * training.batch_size * window

    def seconds_for(self, steps: int) -> float:
        """Return the estimated seconds of the run if it takes this many steps."""
        return self.seconds + (steps - self.steps) * self.step_seconds

    @property
    def epochs(self) -> float:
        """How often training passes over the training part."""
        return self.tokens * self.corpus.train_fraction / max(self.corpus.train_tokens, 1)

    @property
    def memorizes(self) -> bool:
        """Whether the model will memorize parts of its corpus, whatever its dropout."""
        return self.epochs > _MEMORIZED_EPOCHS * self.corpus.rereading

    @property
    def bits_per_character(self) -> float:
        """The estimated validation loss, at most that of a uniform guess.

        Each repetition of a text is worth less than the one before (Muennighoff et al. 2023,
        https://arxiv.org/abs/2305.16264).
        """
        epochs = self.epochs / self.corpus.rereading
        repeats = max(epochs - 1, 0.0)
        worth = min(epochs, 1.0)
        worth += _MAX_WORTH_OF_REPEATS * (1 - math.exp(-repeats / _MAX_WORTH_OF_REPEATS))
        worth *= max(1.0, self.corpus.train_characters / COMPRESSED_CHARACTERS)
        bits = self.corpus.compressed_bits * (_BASE + _SCALE * worth**-_EXPONENT)
        return min(bits, self.corpus.guessed_bits)

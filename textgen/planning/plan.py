"""A plan: which model and how many steps, so that a run fits its time and its corpus.

The reasons for the rules and the constants, and what was measured, are in docs/recipe.md.
"""

from __future__ import annotations

import bz2
import dataclasses
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from textgen.config import Architecture, ModelConfig, RunConfig, share_width
from textgen.planning import cost
from textgen.planning.machine import Machine

# From small to large.
_SHAPES: dict[Architecture, tuple[dict[str, int], ...]] = {
    "transformer": (
        {"num_layers": 2, "num_heads": 2, "hidden_dim": 64, "context_length": 64},
        {"num_layers": 3, "num_heads": 3, "hidden_dim": 96, "context_length": 64},
        {"num_layers": 4, "num_heads": 4, "hidden_dim": 128, "context_length": 64},
        {"num_layers": 4, "num_heads": 4, "hidden_dim": 192, "context_length": 128},
        {"num_layers": 6, "num_heads": 4, "hidden_dim": 256, "context_length": 128},
        {"num_layers": 6, "num_heads": 6, "hidden_dim": 384, "context_length": 256},
        {"num_layers": 8, "num_heads": 8, "hidden_dim": 512, "context_length": 256},
        {"num_layers": 12, "num_heads": 12, "hidden_dim": 768, "context_length": 256},
    ),
    "lstm": (
        {"num_layers": 2, "hidden_dim": 96, "context_length": 64},
        {"num_layers": 2, "hidden_dim": 192, "context_length": 64},
        {"num_layers": 2, "hidden_dim": 256, "context_length": 128},
        {"num_layers": 2, "hidden_dim": 384, "context_length": 128},
        {"num_layers": 2, "hidden_dim": 768, "context_length": 256},
    ),
}
# A shape pays if there is time for so many tokens for each weight of its matrices; where the
# corpus sets the limit, so many will do.
_TOKENS_IN_TIME, _TOKENS_READ = 1.5, 1.0
# Dropout, and how often it lets a model read a corpus before it learns it by heart.
_DROPOUTS = ((0.0, 5.0), (0.1, 10.0), (0.2, 20.0))
# It slows learning: only so many times the tokens make up for it.
_WORTH_DROPOUT = 1.5
# A smaller corpus must be read more often, or nothing is learned at all: with the fourth root.
_SMALL_CORPUS = 350_000  # tokens
# The batch is doubled as long as enough steps are left; up to the usual size, few are enough.
_SMALLEST_BATCH, _BATCH_SIZE = 4, 16
_FEW_STEPS, _MANY_STEPS = 400, 2000
_ACTIVATION_BYTES = 2**32  # a device; what is on the market has this much
_LEAST_STEPS = 20  # even where there is no time for them
# Of the time. The cost of a step is an estimate, and to be stopped before the learning rate
# has come down is worse than to end a little early.
_USED_SHARE = 0.9
_VALIDATION_SHARE = 0.06
_FEWEST_VALIDATIONS, _MOST_VALIDATIONS = 2, 10
# How much of a corpus to compress, to see how hard it is: bzip2 looks at no more at a time.
COMPRESSED_CHARACTERS = 2**20
# Bits a character over those of bzip2, by how often what it saw was read; see docs/recipe.md.
_LEAST_BITS, _MORE_BITS, _POWER = 0.6, 0.374, 0.2
_MEMORY = 5.0  # so many further readings are worth as much as all there could ever be


@dataclass(frozen=True)
class CorpusSize:
    """What a plan needs to know of a corpus.

    Attributes:
        train_characters: of the training part.
        validation_characters: of the validation part.
        train_tokens: of the training part.
        validation_tokens: that one validation predicts; of a long validation part, not all.
        vocab_size: number of different tokens.
        compressed_bits: what a character takes after compression; see `compressed_bits`.
    """

    train_characters: int
    validation_characters: int
    train_tokens: int
    validation_tokens: int
    vocab_size: int
    compressed_bits: float


def compressed_bits(text: str) -> float:
    """Return the bits a character takes after bzip2: roughly, how hard it is to foretell.

    Args:
        text: the first `COMPRESSED_CHARACTERS` of the training part, or all there are.
    """
    return 8 * len(bz2.compress(text.encode())) / max(len(text), 1)


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
        """Estimate of the validation loss in bits a character.

        Reading a text again is worth less every time (Muennighoff et al. 2023,
        https://arxiv.org/abs/2305.16264).
        """
        epochs = self.epochs / _rereading(self.corpus)
        worth = min(epochs, 1.0) + _MEMORY * (1 - math.exp(-max(epochs - 1, 0.0) / _MEMORY))
        worth *= max(1.0, self.corpus.train_characters / COMPRESSED_CHARACTERS)
        return self.corpus.compressed_bits * (_LEAST_BITS + _MORE_BITS * worth**-_POWER)

    def __str__(self) -> str:
        """Return the plan in two lines, the second about what comes in and out."""
        model, training = self.config.model, self.config.training
        characters = self.corpus.train_characters + self.corpus.validation_characters
        bits = self.bits_per_character
        return (
            f"Plan: {model.architecture} {model.num_layers} x {model.hidden_dim}, "
            f"context {model.context_length}, batch {training.batch_size}, "
            f"{training.max_steps:,} steps of about {self.step_seconds:.2g} s: "
            f"{_duration(self.seconds)} on {self.machine.description}.\n"
            f"Corpus: {_amount(characters)} characters, read "
            f"{self.epochs:.2g} times; expect about {bits:.1f} bits a character "
            f"({bits * math.log(2):.1f} nats), give or take a fifth."
        )


def _rereading(corpus: CorpusSize) -> float:
    """How much more often than a large corpus this one may and must be read."""
    return max(1.0, (_SMALL_CORPUS / corpus.train_tokens) ** 0.25)


def make_plan(
    config: RunConfig, fixed: Collection[str], corpus: CorpusSize, machine: Machine, seconds: float
) -> Plan:
    """Plan a run: the largest shape that has time to learn, with all that suits it.

    Args:
        config: settings; those that are fixed, and those that no plan is about, stay as they are.
        fixed: names of settings of the model and its training.
        corpus: what to train on.
        machine: what to train with.
        seconds: for all that is to be done. The plan takes longer only where `max_steps` is
            fixed, or where there is not even time for a few steps.
    """
    return _Planner(config, frozenset(fixed), corpus, machine, seconds).plan()


@dataclass(frozen=True)
class _Planner:
    """Holds what all decisions of a plan are based on; see `make_plan`."""

    config: RunConfig
    fixed: frozenset[str]
    corpus: CorpusSize
    machine: Machine
    seconds: float

    def plan(self) -> Plan:
        smallest, *larger = (self._with_dropout(model) for model in self._models())
        best = smallest
        for plan in larger:
            weights = cost.count_matrix_weights(plan.config.model)
            tokens_in_time = plan.tokens * self.seconds / plan.seconds
            if (
                tokens_in_time >= _TOKENS_IN_TIME * weights
                and plan.tokens >= _TOKENS_READ * weights
            ):
                best = plan
        return best

    def _models(self) -> Iterator[ModelConfig]:
        """Yield the shapes that keep what is fixed, from small to large."""
        config = self.config.model
        given = {name: value for name, value in config.to_dict().items() if name in self.fixed}
        # Several windows must fit into the training part, but they may be short.
        longest = max(8, 2 ** int(math.log2(self.corpus.train_tokens / 4 + 1)))
        for planned in _SHAPES[config.architecture]:
            context_length = min(planned["context_length"], longest)
            shape: dict[str, Any] = {**planned, "context_length": context_length, **given}
            if config.architecture == "transformer":
                shape |= share_width(shape["num_heads"], shape["hidden_dim"], self.fixed)
            yield dataclasses.replace(config, **shape)

    def _with_dropout(self, model: ModelConfig) -> Plan:
        """Plan a shape with the dropout that its epochs need."""
        dropouts = [(dropout, most * _rereading(self.corpus)) for dropout, most in _DROPOUTS]
        if "dropout" in self.fixed:
            dropouts = [(model.dropout, dropouts[-1][1])]
        plans = [
            self._with_batch(dataclasses.replace(model, dropout=dropout), epochs)
            for dropout, epochs in dropouts
        ]
        if "max_steps" in self.fixed:
            pairs = zip(plans, dropouts, strict=True)
            return next((plan for plan, (_, most) in pairs if plan.epochs <= most), plans[-1])
        # The least dropout that is not worth more.
        most = max(plan.tokens for plan in plans)
        return next(plan for plan in plans if _WORTH_DROPOUT * plan.tokens >= most)

    def _with_batch(self, model: ModelConfig, epochs: float) -> Plan:
        """Plan the batch that suits the number of steps, for so many epochs at most."""
        if "batch_size" in self.fixed:
            return self._with_steps(model, self.config.training.batch_size, epochs)
        if "max_steps" in self.fixed:
            return self._with_steps(model, self._shared_out(_BATCH_SIZE), epochs)
        window_bytes = cost.activation_bytes(model, self.corpus.vocab_size) * model.context_length
        batch_size = self._shared_out(_SMALLEST_BATCH)
        plan = self._with_steps(model, batch_size, epochs)
        while True:
            batch_size *= 2
            fits = batch_size * window_bytes <= _ACTIVATION_BYTES * self._num_parts
            larger = self._with_steps(model, batch_size, epochs)
            enough = _FEW_STEPS if batch_size <= _BATCH_SIZE else _MANY_STEPS
            if not fits or larger.config.training.max_steps < enough:
                return plan
            plan = larger

    @property
    def _num_parts(self) -> int:
        """Parts of a batch, of which a device holds one at a time."""
        return self.machine.num_devices * self.config.training.accumulate

    def _shared_out(self, batch_size: int) -> int:
        """Return the next multiple of the number of parts."""
        return -(-batch_size // self._num_parts) * self._num_parts

    def _with_steps(self, model: ModelConfig, batch_size: int, epochs: float) -> Plan:
        """Plan as many steps as time and epochs allow."""
        training = dataclasses.replace(self.config.training, batch_size=batch_size)
        corpus, machine, vocab_size = self.corpus, self.machine, self.corpus.vocab_size
        step = cost.step_seconds(model, training, vocab_size, machine)
        validation = cost.validation_seconds(model, corpus.validation_tokens, vocab_size, machine)
        around = cost.compile_seconds(model, machine) + cost.export_seconds(machine)
        validations = int(_VALIDATION_SHARE * self.seconds / validation)
        validations = max(_FEWEST_VALIDATIONS, min(validations, _MOST_VALIDATIONS))
        if "max_steps" not in self.fixed:
            left = _USED_SHARE * self.seconds - around - validations * validation
            steps_in_epochs = corpus.train_tokens * epochs / (batch_size * model.context_length)
            steps = max(_LEAST_STEPS, int(min(left / step, steps_in_epochs)))
            training = dataclasses.replace(training, max_steps=steps)
        if "validate_every" not in self.fixed:
            every = -(-training.max_steps // validations)
            training = dataclasses.replace(training, validate_every=every)
        every = training.validate_every or training.max_steps
        validations = -(-training.max_steps // every)
        return Plan(
            dataclasses.replace(self.config, model=model, training=training),
            corpus,
            machine,
            step,
            validation + cost.export_seconds(machine),
            around + training.max_steps * step + validations * validation,
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

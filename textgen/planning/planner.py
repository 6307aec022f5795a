"""Making a plan: which model and how many steps, so that a run fits its time and its corpus.

The reasons for the rules and the constants, and what was measured, are in docs/recipe.md.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from textgen.config import Architecture, ModelConfig, RunConfig, share_width
from textgen.config.checks import INT32_END
from textgen.planning import cost
from textgen.planning.corpus_size import CorpusSize
from textgen.planning.machine import Machine
from textgen.planning.plan import Plan

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
_MOST_DROPOUT = 0.5
# It slows learning: only so many times the tokens make up for it.
_WORTH_DROPOUT = 1.5
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
        rereading = self.corpus.rereading
        # An LSTM learns a small corpus by heart sooner than a Transformer does.
        more = rereading**2 if model.architecture == "lstm" else 1.0
        dropouts = [
            (min(_MOST_DROPOUT, dropout * more), most * rereading) for dropout, most in _DROPOUTS
        ]
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
            steps = max(_LEAST_STEPS, int(min(left / step, steps_in_epochs, INT32_END - 1)))
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

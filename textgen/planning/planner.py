"""Making a plan: the model and the number of steps that suit a time budget and a corpus.

docs/explanation/recipe.md has the reasons for the rules and constants, and the measurements.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from textgen.checks import INT32_END
from textgen.config import RunConfig, TrainingConfig
from textgen.models import ModelConfig
from textgen.planning import cost, memory
from textgen.planning.corpus_size import CorpusSize
from textgen.planning.machine import Machine
from textgen.planning.plan import Plan

# A shape pays if the time is enough to process this many tokens per weight of its matrices,
_MIN_TOKENS_IN_TIME = 1.5
# and if the plan, which the corpus may limit, processes this many.
_MIN_TOKENS_PLANNED = 1.0
# Pairs of a dropout and the largest number of epochs before a model with it overfits.
_DROPOUTS = ((0.0, 5.0), (0.1, 10.0), (0.2, 20.0))
_MAX_DROPOUT = 0.5
# The same for a model that is trained already: it overfits sooner.
_TRAINED_DROPOUTS = ((0.0, 2.0), (0.1, 4.0))
# Windows of a trained model, whose context may be too long for a step on a CPU.
_MAX_TRAINED_WINDOW = 256
# Rows with prompts are planned to fit into a window, unless they are longer than this.
_MAX_ROW_WINDOW = 1024
# If there is no time for this many steps of all weights, adapters of this rank are trained instead.
_MIN_STEPS_OF_FULL_UPDATE, _ADAPTER_RANK = 300, 8
_ADAPTER_EPOCHS = 1.0
# Dropout slows learning: it pays if it allows more than this many times the tokens.
_MIN_GAIN_OF_DROPOUT = 1.5
_MIN_BATCH_SIZE = 4
# A batch is doubled while enough steps are left: few up to this size, many beyond it.
_USUAL_BATCH_SIZE = 16
_MIN_STEPS_OF_SMALL_BATCH, _MIN_STEPS_OF_LARGE_BATCH = 400, 2000
# The steps of a plan that has no time for any, and of one with more than the smallest shape.
_MIN_STEPS, _MIN_STEPS_OF_LARGER_SHAPE = 20, 300
# The fraction of the time that is planned if the learning rate does not follow the clock. The
# cost of a step is an estimate, and to be stopped before the rate has come down is worse than to
# end a little early.
_PLANNED_FRACTION = 0.9
# A corpus without a validation part is memorized: the least epochs and steps for that.
_MEMORIZING_EPOCHS, _MEMORIZING_STEPS = 100, 500
_MAX_WARMUP_STEPS = 100
# The fraction of the time for validations.
_VALIDATION_FRACTION = 0.06
_MIN_VALIDATIONS, _MAX_VALIDATIONS = 2, 10
# A validation that would take more than this fraction of the time predicts fewer tokens, but not
# fewer than this.
_MAX_VALIDATION_FRACTION, _MIN_VALIDATION_TOKENS = 0.04, 2**11


def make_plan(
    config: RunConfig, fixed: Collection[str], corpus: CorpusSize, machine: Machine, seconds: float
) -> Plan:
    """Plan a run: the largest shape that has time to learn, and the settings that suit it.

    Args:
        config: The settings. The fixed ones, and those that no plan changes, stay as they are.
        fixed: Names of settings of the model and its training.
        corpus: The size of the corpus to train on.
        machine: The machine to train on.
        seconds: The time for the whole run. The plan takes longer only if `max_steps` is fixed,
            or if there is not even time for a few steps.

    Raises:
        ConfigError: If the fixed settings need more memory than the machine has.
    """
    return _Planner(config, frozenset(fixed), corpus, machine, seconds).plan()


@dataclass(frozen=True)
class _Planner:
    """The basis of all decisions of a plan; see `make_plan`."""

    config: RunConfig
    fixed: frozenset[str]
    corpus: CorpusSize
    machine: Machine
    seconds: float

    def plan(self) -> Plan:
        """Plan the run, with adapters if a step of all weights takes too long."""
        plan = self._plan()
        is_free = self._is_trained and self.config.training.adapter_rank is None
        can_adapt = self.config.model.profile.has_adapters and not self.machine.is_gpu
        has_time = plan.step_seconds * _MIN_STEPS_OF_FULL_UPDATE <= self.seconds
        if is_free and can_adapt and not has_time:
            training = dataclasses.replace(self.config.training, adapter_rank=_ADAPTER_RANK)
            config = dataclasses.replace(self.config, training=training)
            plan = dataclasses.replace(self, config=config)._plan()
        model, training = plan.config.model, plan.config.training
        window = training.window(model.context_length)
        model = dataclasses.replace(model, context_length=window)
        memory.check_memory(model, training, self.corpus.vocab_size, self.machine)
        return plan

    def _plan(self) -> Plan:
        smallest, *larger = (self._with_dropout(model) for model in self._models())
        best = smallest
        for plan in larger:
            weights = memory.count_matrix_weights(plan.config.model)
            tokens_in_time = plan.tokens * self.seconds / plan.seconds
            if (
                tokens_in_time >= _MIN_TOKENS_IN_TIME * weights
                and plan.tokens >= _MIN_TOKENS_PLANNED * weights
                and plan.steps >= _MIN_STEPS_OF_LARGER_SHAPE
            ):
                best = plan
        return best

    def _models(self) -> Iterator[ModelConfig]:
        """Yield the shapes with the fixed settings, from small to large."""
        config = self.config.model
        if self._is_trained:
            yield config
            return
        given = {name: value for name, value in config.to_dict().items() if name in self.fixed}
        for planned in config.profile.shapes:
            context_length = self._longest_window
            if not self.corpus.num_rows:
                context_length = min(planned["context_length"], context_length)
            shape: dict[str, Any] = {**planned, "context_length": context_length, **given}
            yield dataclasses.replace(config, **config.reconcile(shape, self.fixed))

    @property
    def _is_trained(self) -> bool:
        """Whether the run begins from a trained model, whose shape cannot change."""
        return self.config.from_model is not None

    @property
    def _longest_window(self) -> int:
        """The longest window: the training part must hold several, but they may be short.

        With prompts, a row.
        """
        if self.corpus.num_rows:
            # A row is never cut if that can be helped. The first token is not predicted.
            return min(_MAX_ROW_WINDOW, -(-(self.corpus.longest_row - 1) // 8) * 8)
        tokens = self.corpus.train_tokens
        # A line that occurs twice is followed by different ones, so to memorize a text the model
        # must see more than a line.
        windows = 4 if self.corpus.validation_tokens else 2
        return max(2, min(tokens - 1, 8), 2 ** int(math.log2(tokens / windows + 1)))

    def _in_windows(self, model: ModelConfig) -> ModelConfig:
        """Return the model with a context as long as the windows that it is trained on."""
        length = self.config.training.window_length
        if length is None and self._is_trained and "window_length" not in self.fixed:
            length = min(model.context_length, self._longest_window)
            if not self.corpus.num_rows:
                length = min(length, _MAX_TRAINED_WINDOW)
        return dataclasses.replace(model, context_length=length or model.context_length)

    def _with_dropout(self, model: ModelConfig) -> Plan:
        """Plan a shape with the dropout that its number of epochs needs."""
        rereading = self.corpus.rereading
        more = rereading**model.profile.overfitting_exponent
        dropouts = [
            (min(_MAX_DROPOUT, dropout * more), epochs * rereading)
            for dropout, epochs in (_TRAINED_DROPOUTS if self._is_trained else _DROPOUTS)
        ]
        if not self.corpus.validation_tokens:
            window = self._in_windows(model).context_length
            windows = _MEMORIZING_STEPS * self._shared_out(_MIN_BATCH_SIZE)
            epochs = windows / self.corpus.windows_per_epoch(window)
            dropouts = [(0.0, max(_MEMORIZING_EPOCHS, epochs))]
        if self.config.training.adapter_rank:
            # Published models were trained without it, and adapters soon memorize a text.
            dropouts = [(0.0, _ADAPTER_EPOCHS * rereading)]
        if "dropout" in self.fixed:
            dropouts = [(model.dropout, dropouts[-1][1])]
        plans = [
            self._with_batch(dataclasses.replace(model, dropout=dropout), epochs)
            for dropout, epochs in dropouts
        ]
        if self._has_fixed_length:
            pairs = zip(plans, dropouts, strict=True)
            return next((plan for plan, (_, most) in pairs if plan.epochs <= most), plans[-1])
        # The smallest dropout that more of it would not pay for.
        most = max(plan.tokens for plan in plans)
        return next(plan for plan in plans if _MIN_GAIN_OF_DROPOUT * plan.tokens >= most)

    def _with_batch(self, model: ModelConfig, epochs: float) -> Plan:
        """Plan the batch that suits the number of steps, for at most `epochs`."""
        if "batch_size" in self.fixed:
            return self._with_steps(model, self.config.training.batch_size, epochs)
        if self._has_fixed_length:
            return self._with_steps(model, self._shared_out(_USUAL_BATCH_SIZE), epochs)
        seen = self._in_windows(model)
        batch_size = self._shared_out(_MIN_BATCH_SIZE)
        plan = self._with_steps(model, batch_size, epochs)
        while True:
            batch_size *= 2
            training = dataclasses.replace(self.config.training, batch_size=batch_size)
            fits = memory.activations_fit(seen, training, self.corpus.vocab_size, self.machine)
            larger = self._with_steps(model, batch_size, epochs)
            is_small = batch_size <= _USUAL_BATCH_SIZE
            enough = _MIN_STEPS_OF_SMALL_BATCH if is_small else _MIN_STEPS_OF_LARGE_BATCH
            if not fits or larger.steps < enough:
                return plan
            plan = larger

    @property
    def _has_fixed_length(self) -> bool:
        return not self.fixed.isdisjoint(("max_steps", "epochs"))

    @property
    def _follows_clock(self) -> bool:
        """Whether the clock decides on the number of steps; see `textgen.training.pace`."""
        return not self._has_fixed_length and self.config.training.schedule in ("auto", "wsd")

    @property
    def _num_parts(self) -> int:
        """The number of parts of a batch; a device holds one part at a time."""
        return self.machine.num_devices * self.config.training.accumulate

    def _shared_out(self, batch_size: int) -> int:
        """Round up to a multiple of the number of parts."""
        return -(-batch_size // self._num_parts) * self._num_parts

    def _with_steps(self, model: ModelConfig, batch_size: int, epochs: float) -> Plan:
        """Plan as many steps as time and epochs allow."""
        seen = self._in_windows(model)
        training = dataclasses.replace(self.config.training, batch_size=batch_size)
        if seen.context_length < model.context_length:
            training = dataclasses.replace(training, window_length=seen.context_length)
        corpus, machine, vocab_size = self.corpus, self.machine, self.corpus.vocab_size
        if self.fixed.isdisjoint(("mixed_precision", "jit_compile")):
            training = cost.in_fastest_precision(seen, training, vocab_size, machine)
        if "accumulate" not in self.fixed:
            training = memory.split_to_fit(seen, training, vocab_size, machine)
        step = cost.step_seconds(seen, training, vocab_size, machine)
        training = self._briefly(training, seen)
        validation = cost.validation_seconds(
            seen, min(corpus.validation_tokens, training.validation_tokens), vocab_size, machine
        )
        export = cost.export_seconds(model, vocab_size, machine)
        around = cost.compile_seconds(model, machine) + export
        if self._is_trained:
            around += cost.loading_seconds(model, vocab_size, machine) + validation
        validations = int(_VALIDATION_FRACTION * self.seconds / validation)
        validations = max(_MIN_VALIDATIONS, min(validations, _MAX_VALIDATIONS))
        windows_per_step = batch_size * corpus.train_fraction
        steps_per_epoch = corpus.windows_per_epoch(seen.context_length) / windows_per_step
        steps = training.max_steps
        if training.epochs is not None:
            steps = max(1, math.ceil(training.epochs * steps_per_epoch))
            training = dataclasses.replace(training, max_steps=steps)
        elif "max_steps" not in self.fixed:
            fraction = 1.0 if self._follows_clock else _PLANNED_FRACTION
            left = fraction * self.seconds - around - validations * validation
            most = min(epochs * steps_per_epoch, INT32_END - 1)
            fewest = 1 if self._is_trained else _MIN_STEPS
            steps = max(fewest, int(min(left / step, most)))
            training = dataclasses.replace(training, max_steps=steps)
            if self._follows_clock:
                training = self._by_clock(training, max(fewest, int(most)))
        if "validate_every" not in self.fixed and not self._follows_clock:
            every = -(-steps // validations)
            training = dataclasses.replace(training, validate_every=every)
        every = training.validate_every or -(-steps // validations)
        validations = -(-steps // every)
        return Plan(
            dataclasses.replace(self.config, model=model, training=training),
            steps,
            corpus,
            machine,
            step,
            export,
            around + steps * step + validations * validation,
        )

    def _briefly(self, training: TrainingConfig, seen: ModelConfig) -> TrainingConfig:
        """Return settings with shorter validations, if they would take too much of the time."""
        if self._has_fixed_length or "validation_tokens" in self.fixed:
            return training
        many, seconds = 2**20, _MAX_VALIDATION_FRACTION * self.seconds
        validation = cost.validation_seconds(seen, many, self.corpus.vocab_size, self.machine)
        most = max(_MIN_VALIDATION_TOKENS, many * seconds / validation)
        if most >= self.corpus.validation_tokens:
            return training
        return dataclasses.replace(training, validation_tokens=2 ** int(math.log2(most)))

    def _by_clock(self, training: TrainingConfig, most: int) -> TrainingConfig:
        """Return settings of a run that the clock ends, after `most` steps if not before."""
        warmup = training.warmup_steps
        if warmup is None:
            warmup = min(_MAX_WARMUP_STEPS, training.max_steps // 20)
        return dataclasses.replace(training, max_steps=most, warmup_steps=warmup, schedule="wsd")

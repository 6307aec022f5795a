"""Settings of training."""

from __future__ import annotations

import dataclasses
from typing import Literal

from textgen.checks import (
    INT32_END,
    check,
    check_choice,
    check_finite,
    check_int_in,
    check_positive_int,
    is_int,
    is_number,
    is_text,
)
from textgen.errors import ConfigError
from textgen.record import LEFT_OUT, Record

# The standard deviation of a token's loss is about 2 nats, so the standard error of this mean is
# about 2 / sqrt(2**18) = 0.004, less than the difference between two seeds; and because all
# validations of a run use the same windows, their ranking is more certain still. Validating on
# all of a long corpus would take longer than the training between two validations.
MAX_VALIDATION_TOKENS = 2**18
_USUAL_BATCH_SIZE = 16
# A larger rank is no smaller than what it adapts.
_MAX_RANK = 1024
# Far more than any run needs, so that what they multiply stays an int32.
_MAX_PARTS = 2**16
_MAX_EPOCHS = 1_000_000


@dataclasses.dataclass(frozen=True)
class TrainingConfig(Record):
    """How a model is trained.

    Attributes:
        max_steps: Number of optimizer steps.
        batch_size: Windows per optimizer step, over all replicas and micro-batches. If left
            out, 16 or the next multiple of `accumulate`.
        accumulate: Micro-batches per step, computed one after another. The gradients are the
            same; activations take that many times less memory. Must divide `batch_size`.
        epochs: Passes over the training part, instead of `max_steps`. If `None`, `max_steps`
            counts.
        learning_rate: Peak learning rate. If `None`, the optimizer's default.
        schedule: How the learning rate changes after warmup: `"cosine"` (falls to a tenth),
            `"linear"` (falls to zero), `"constant"`, `"wsd"` (warmup, stable, decay: constant,
            then falls to zero over the last 40% of the steps), or `"auto"`: cosine if the number
            of steps is given, wsd if the time is.
        optimizer: `"adamw"`, `"adam"`, `"sgd"` (with momentum), `"muon"` (Muon for matrices,
            AdamW for the rest), or `"auto"`: the one that suits the model's family.
        warmup_steps: Steps of linear warmup. If `None`, 5% of `max_steps`, up to 100.
        weight_decay: Decoupled weight decay of matrices.
        clip_norm: Maximum global norm of the gradients; larger gradients are clipped to it.
        seed: Seed for initial weights, the order of windows, and dropout.
        validate_every: Steps between validations. If `None`, a tenth of `max_steps`.
        validation_tokens: Most tokens to predict in one validation; see `textgen.windows`.
        patience: Validations without improvement before training stops. If `None`, it never
            stops early.
        mixed_precision: Whether to compute in bfloat16 and keep weights in float32. If `None`,
            that is so on GPUs that are made for it, if the model's family is faster with it; on
            CPUs, a plan decides.
        strategy: `"auto"`, `"none"`, `"mirrored"` or `"multi-worker"`; see
            `textgen.training.distribution.build_strategy`.
        jit_compile: Whether to compile the step with XLA. If `None`, if that is faster.
        keep_checkpoints: Number of newest checkpoints to keep on disk.
        window_length: Tokens per training window. If `None`, the model's context length.
        freeze_layers: Keep the embeddings and this many of the first layers as they are.
        adapter_rank: Rank of adapters to train instead of the weights; 0 to train the weights.
            If `None`, the plan decides.
        replay_fraction: Fraction of the windows that are cut from the older text, if the run has
            one.
        teacher: Name or folder of a model whose predictions are learned beside the text; see
            `textgen.training.soft_targets`.

    Example:
        >>> textgen.TrainingConfig(max_steps=500, accumulate=3).batch_size
        18
    """

    max_steps: int = 2000
    batch_size: int = LEFT_OUT
    accumulate: int = 1
    learning_rate: float | None = None
    optimizer: Literal["auto", "adamw", "muon", "adam", "sgd"] = "auto"
    warmup_steps: int | None = None
    weight_decay: float = 0.1
    clip_norm: float = 1.0
    seed: int = 0
    validate_every: int | None = None
    validation_tokens: int = MAX_VALIDATION_TOKENS
    patience: int | None = None
    mixed_precision: bool | None = None
    strategy: Literal["auto", "none", "mirrored", "multi-worker"] = "auto"
    jit_compile: bool | None = None
    keep_checkpoints: int = 2
    epochs: float | None = None
    schedule: Literal["auto", "constant", "cosine", "linear", "wsd"] = "auto"
    window_length: int | None = None
    freeze_layers: int = 0
    adapter_rank: int | None = None
    replay_fraction: float = 0.1
    teacher: str | None = None

    def __post_init__(self) -> None:
        check_positive_int(self, "max_steps", "keep_checkpoints", "validation_tokens")
        check_int_in("accumulate", self.accumulate, 1, _MAX_PARTS)
        if self.batch_size is LEFT_OUT:
            parts = -(-_USUAL_BATCH_SIZE // self.accumulate)
            self._fill_in(batch_size=parts * self.accumulate)
        check_positive_int(self, "batch_size")
        if self.batch_size % self.accumulate:
            raise ConfigError(
                "batch_size must be a multiple of accumulate. "
                f"Received: batch_size={self.batch_size}, accumulate={self.accumulate}"
            )
        for name in ("validate_every", "patience"):
            if getattr(self, name) is not None:
                check_positive_int(self, name)
        if self.learning_rate is not None:
            check_finite(self, "learning_rate", 0, above=True)
        if self.warmup_steps is not None:
            fits = is_int(self.warmup_steps) and 0 <= self.warmup_steps < INT32_END
            rule = f"warmup_steps must be an integer in [0, {INT32_END})"
            check(fits, rule, self.warmup_steps)
        check_finite(self, "weight_decay", 0)
        check_finite(self, "clip_norm", 0, above=True)
        if self.epochs is not None:
            fits = is_number(self.epochs) and 0 < self.epochs <= _MAX_EPOCHS
            check(fits, f"epochs must be a number in (0, {_MAX_EPOCHS}]", self.epochs)
        if self.window_length is not None:
            fits = is_int(self.window_length) and 2 <= self.window_length < INT32_END
            check(fits, "window_length must be an integer >= 2", self.window_length)
        fits = is_int(self.freeze_layers) and self.freeze_layers >= 0
        check(fits, "freeze_layers must be an integer >= 0", self.freeze_layers)
        rank = self.adapter_rank
        fits = rank is None or (is_int(rank) and 0 <= rank <= _MAX_RANK)
        check(fits, f"adapter_rank must be an integer in [0, {_MAX_RANK}]", rank)
        fraction = self.replay_fraction
        fits = is_number(fraction) and 0 < fraction < 1
        check(fits, "replay_fraction must be in (0, 1)", fraction)
        fits = self.teacher is None or is_text(self.teacher)
        check(fits, "teacher must be the name or the folder of a model", self.teacher)
        check_choice(self, "optimizer")
        check_choice(self, "schedule")
        check_choice(self, "strategy")
        if self.teacher is not None and self.strategy == "multi-worker":
            raise ConfigError("teacher cannot be combined with strategy='multi-worker'.")
        fits = is_int(self.seed) and 0 <= self.seed < INT32_END
        check(fits, f"seed must be an integer in [0, {INT32_END})", self.seed)

    @property
    def is_partial(self) -> bool:
        """Whether some weights of the model that the run begins from are not trained."""
        return self.freeze_layers > 0 or bool(self.adapter_rank)

    def window(self, context_length: int) -> int:
        """Return the tokens per training window of a model.

        Args:
            context_length: The model's, which a window cannot exceed.

        Raises:
            ConfigError: If `window_length` is longer.
        """
        length = self.window_length
        fits = length is None or length <= context_length
        check(fits, f"window_length must be at most the context of {context_length} tokens", length)
        return length or context_length

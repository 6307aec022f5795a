"""What a run occupies while it trains: the model's folder, which it locks, and the devices."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from textgen.config import RunConfig
from textgen.run import ModelRuns, RunLock
from textgen.runtime.banner import hidden_banner
from textgen.runtime.library import environment

if TYPE_CHECKING:
    import tensorflow as tf

# On a CPU, few plans have time to train as many weights.
_LARGE = 2**25


@contextlib.contextmanager
def locked(runs: ModelRuns, config: RunConfig) -> Iterator[RunLock]:
    """Keep other runs out of the model's folder until the end of the block."""
    with RunLock(runs) as lock:
        # Of several workers only the chief writes files; the strategy will tell which it is.
        if config.training.strategy != "multi-worker":
            lock.acquire()
        yield lock


def _may_train_adapters(config: RunConfig) -> bool:
    """Return whether adapters are trained, or a plan will choose them for a large parent."""
    rank, model = config.training.adapter_rank, config.model
    if config.from_model is None or rank is not None:
        return bool(rank)
    return sum(map(math.prod, model.profile.matrix_shapes(model))) >= _LARGE


@contextlib.contextmanager
def devices(
    config: RunConfig, lock: RunLock | None = None
) -> Iterator[tuple[tf.distribute.Strategy, bool]]:
    """Yield the strategy, and whether this process is the chief, which takes the lock."""
    # Only now: a mistyped file name should be reported without waiting for TensorFlow.
    # With oneDNN, TensorFlow never returns memory, and a model with adapters may need most of it.
    # Its steps are compiled by XLA, which does without, and never planned in bfloat16.
    settings = {"TF_ENABLE_ONEDNN_OPTS": "0"} if _may_train_adapters(config) else {}
    with environment(settings), hidden_banner():
        from textgen.training import distribution
    name = config.training.strategy
    with distribution.reporting_device_errors(name):
        # A multi-worker strategy must exist before any TensorFlow operation runs.
        strategy = distribution.build_strategy(name)
        is_chief = distribution.is_chief(strategy)
        if is_chief and lock is not None:
            lock.acquire()
        yield strategy, is_chief

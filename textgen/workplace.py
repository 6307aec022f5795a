"""What a run occupies while it trains: the model's folder, which it locks, and the devices."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from textgen.config import RunConfig
from textgen.run import ModelRuns, RunLock
from textgen.runtime.banner import hidden_banner
from textgen.runtime.library import environment

if TYPE_CHECKING:
    import tensorflow as tf


@contextlib.contextmanager
def locked(runs: ModelRuns, config: RunConfig) -> Iterator[RunLock]:
    """Keep other runs out of the model's folder until the end of the block."""
    with RunLock(runs) as lock:
        # Of several workers only the chief writes files; the strategy will tell which it is.
        if config.training.strategy != "multi-worker":
            lock.acquire()
        yield lock


@contextlib.contextmanager
def devices(
    config: RunConfig, lock: RunLock | None = None
) -> Iterator[tuple[tf.distribute.Strategy, bool]]:
    """Yield the strategy, and whether this process is the chief, which takes the lock."""
    # Only now: a mistyped file name should be reported without waiting for TensorFlow.
    # With oneDNN, TensorFlow never returns memory, and a model with adapters may need most of it.
    # Its steps are compiled by XLA, which does without, and never planned in bfloat16.
    settings = {"TF_ENABLE_ONEDNN_OPTS": "0"} if config.training.adapter_rank else {}
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

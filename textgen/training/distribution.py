"""Which devices train: one, all GPUs of a machine, or several machines."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import tensorflow as tf

from textgen.errors import DeviceError, first_line

# XLA times each product of a step in many variants. Without those of Triton, a compiler of kernels,
# the first step of a 6 x 384 model on an H200 is done after 40 s, not 63, and a step is as fast.
_FEWER_VARIANTS = "--xla_gpu_enable_triton_gemm"
# What TensorFlow raises in a worker when another one is lost, depending on which op notices first.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
)


def build_strategy(name: str) -> tf.distribute.Strategy:
    """Return the `tf.distribute` strategy of that name.

    Also sets a flag that makes XLA compile sooner for GPUs, in XLA_FLAGS, unless it is set there.

    Args:
        name: `auto` (Mirrored over all visible GPUs if there are several, else none), `none`,
            `mirrored` (all GPUs, or all logical CPU devices if there are no GPUs), or
            `multi-worker` (reads TF_CONFIG).

    Raises:
        DeviceError: If TF_CONFIG is missing or damaged, or the workers cannot connect.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _FEWER_VARIANTS not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_FEWER_VARIANTS}=false".strip()
    if name == "multi-worker":
        return _multi_worker()  # before any other call to TensorFlow, even to list devices
    gpus = tf.config.list_logical_devices("GPU")
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        devices = gpus or tf.config.list_logical_devices("CPU")
        return _mirrored(*(device.name for device in devices))
    return tf.distribute.get_strategy()


@cache
def _mirrored(*devices: str) -> tf.distribute.Strategy:
    # One for all runs of a process: a second would number its exchanges between devices from 1
    # again, and TensorFlow would take them for those of the first.
    return tf.distribute.MirroredStrategy(devices)


def _multi_worker() -> tf.distribute.Strategy:
    text = os.environ.get("TF_CONFIG", "")
    try:
        cluster = json.loads(text)
        task = cluster["task"]
        known = task["index"] in range(len(cluster["cluster"][task["type"]]))
    except (ValueError, KeyError, TypeError) as error:
        raise DeviceError(
            "The strategy multi-worker needs TF_CONFIG, a JSON object with 'cluster' and 'task'. "
            f"Received: {text!r}"
        ) from error
    if not known:
        raise DeviceError(f"TF_CONFIG names a task that is not in its cluster. Received: {text}")
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise DeviceError(
            f"This worker could not connect to the others of TF_CONFIG ({first_line(error)}). "
            f"Received: {text}"
        ) from error


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Return whether this process is the chief, the one that writes files."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    if "chief" in resolver.cluster_spec().jobs:
        return resolver.task_type == "chief"
    return resolver.task_type == "worker" and resolver.task_id == 0


@contextmanager
def reporting_device_errors(strategy_name: str) -> Iterator[None]:
    """Turn the loss of another worker, or of a device's memory, into one sentence.

    A worker whose process ends is noticed immediately, because its connections break. One whose
    machine hangs or leaves the network is noticed after about 10 s, because its heartbeats to
    TensorFlow's coordination service stop.

    Raises:
        DeviceError: If the block failed for one of these reasons.
    """
    try:
        yield
    except _LOST as error:
        if strategy_name != "multi-worker":
            raise
        raise DeviceError(
            "Another worker stopped responding, so this one stopped too. Start all workers "
            "again; if there is a checkpoint, resume from it."
        ) from error
    except tf.errors.ResourceExhaustedError as error:
        raise DeviceError(
            "A device does not have enough memory for a step. Try a smaller batch_size, "
            "context_length or model, or accumulate=2 or more."
        ) from error

"""Which devices train: one, all GPUs of a machine, or several machines."""

from __future__ import annotations

import json
import os

import tensorflow as tf

from textgen.errors import DeviceError


def build_strategy(name: str) -> tf.distribute.Strategy:
    """Return the `tf.distribute` strategy of that name.

    Args:
        name: `auto` (Mirrored over all visible GPUs if there are several, else none),
            `none`, `mirrored` (all GPUs, or all logical CPU devices where there are no
            GPUs), or `multi-worker` (reads TF_CONFIG).

    Raises:
        DeviceError: TF_CONFIG is missing or damaged.
    """
    if name == "multi-worker":
        return _multi_worker()  # before TensorFlow is asked anything, even for its devices
    gpus = tf.config.list_logical_devices("GPU")
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        devices = gpus or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def _multi_worker() -> tf.distribute.Strategy:
    text = os.environ.get("TF_CONFIG", "")
    try:
        cluster = json.loads(text)
        task = cluster["task"]
        known = task["index"] in range(len(cluster["cluster"][task["type"]]))
    except (ValueError, KeyError, TypeError) as error:
        raise DeviceError(
            "--strategy multi-worker needs TF_CONFIG, a JSON object with 'cluster' and 'task'. "
            f"Received: {text!r}."
        ) from error
    if not known:
        raise DeviceError(f"TF_CONFIG names a task that is not in its cluster. Received: {text}.")
    return tf.distribute.MultiWorkerMirroredStrategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Return whether this process is the one that writes files."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    if "chief" in resolver.cluster_spec().jobs:
        return resolver.task_type == "chief"
    return resolver.task_type == "worker" and resolver.task_id == 0

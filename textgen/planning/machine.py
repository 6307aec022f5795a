"""How fast this machine is, in a fraction of a second."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass

_PROBE_SECONDS = 0.5
_ROWS, _WIDTH, _WIDER = 1024, 256, 1024
# How much of all cores a layer uses on an idle machine.
_PARALLEL_EFFICIENCY = 0.85


@dataclass(frozen=True)
class Machine:
    """What a plan needs to know about a machine.

    Attributes:
        description: The devices that train, in a few words.
        flops: Floating-point operations per second of one device, measured with the feed-forward
            layer of a small Transformer.
        is_gpu: Whether the devices are GPUs.
        num_devices: Number of devices that train together.
    """

    description: str
    flops: float
    is_gpu: bool = False
    num_devices: int = 1


def measure_machine(num_devices: int = 1) -> Machine:
    """Measure the device that TensorFlow would use.

    A layer's time stands for a step's, because compiling a step only to time it would take
    longer than many runs do. The best of many counts: other programs that are busy now may be
    idle later, and a run with a time limit follows the clock anyway.

    Args:
        num_devices: Number of devices like it that train together.
    """
    import tensorflow as tf

    rows = tf.random.normal((_ROWS, _WIDTH))
    expand, contract = tf.random.normal((_WIDTH, _WIDER)), tf.random.normal((_WIDER, _WIDTH))

    def layer() -> None:
        wide = tf.nn.gelu(tf.matmul(rows, expand))
        tf.reduce_sum(tf.matmul(wide, contract)).numpy()  # .numpy() waits for the result

    layer()  # the first call creates the kernels
    elapsed: list[float] = []
    used: list[float] = []
    end = time.perf_counter() + _PROBE_SECONDS
    while not elapsed or time.perf_counter() < end:
        started, processor = time.perf_counter(), time.process_time()
        layer()
        elapsed.append(time.perf_counter() - started)
        used.append(time.process_time() - processor)
    gpus = tf.config.list_physical_devices("GPU")
    seconds = min(elapsed)
    if not gpus:
        # Whatever else runs, the processor time of all threads stays the same.
        seconds = min(seconds, statistics.median(used) / _num_cores() / _PARALLEL_EFFICIENCY)
    flops = 2 * 2 * _ROWS * _WIDTH * _WIDER / max(seconds, 1e-6)
    if gpus:
        name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
        return Machine(_count(num_devices, name), flops, is_gpu=True, num_devices=num_devices)
    return Machine(_count(_num_cores(), "CPU core"), flops, num_devices=num_devices)


def _num_cores() -> int:
    # Not cpu_count: a container may have fewer.
    has_affinity = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"

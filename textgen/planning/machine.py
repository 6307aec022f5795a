"""How fast this machine is, in a fraction of a second."""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_PROBE_SECONDS = 0.5
_CONTAINER_MEMORY = Path("/sys/fs/cgroup/memory.max")
# Rows, inputs and outputs of the product that is measured. It takes a CPU and a GPU about a
# millisecond; a smaller one would tell how long a GPU takes to begin.
_CPU_PRODUCT, _GPU_PRODUCT = (1024, 256, 1024), (16384, 4096, 4096)
# How much of all cores a layer uses on an idle machine.
_PARALLEL_EFFICIENCY = 0.85
# Operations of a matrix product per activation, on the machine to which the costs were fitted.
_OPERATIONS_PER_ACTIVATION = 480
# From this contention on, the description of the machine mentions other programs.
_NOTICED_CONTENTION = 1.5


@dataclass(frozen=True)
class Machine:
    """What a plan needs to know about a machine.

    Attributes:
        description: The devices that train, in a few words.
        flops: Floating-point operations per second of one device in a matrix product, as if
            nothing else were running.
        is_gpu: Whether the devices are GPUs.
        num_devices: Number of devices that train together.
        activations: Activations per second, forward and backward through a GELU, a softmax and
            a normalization. If `None`, in proportion to `flops`.
        contention: How many times longer work takes at the moment than on the idle machine,
            because other programs use the processor.
        memory_bytes: The memory that training may take. `None` if it is unknown.
        bfloat16_flops: The same as `flops`, for a product in bfloat16; on a CPU outside XLA,
            which does not use the units that some CPUs have for it. `None` if that is no faster.
    """

    description: str
    flops: float
    is_gpu: bool = False
    num_devices: int = 1
    activations: float | None = None
    contention: float = 1.0
    memory_bytes: int | None = None
    bfloat16_flops: float | None = None

    @property
    def activations_per_second(self) -> float:
        """Activations per second, measured or estimated."""
        return self.activations or self.flops / _OPERATIONS_PER_ACTIVATION


def measure_machine(num_devices: int = 1) -> Machine:
    """Measure the device that TensorFlow would use.

    A matrix product and a few activations stand for a step, because compiling a step only to
    time it would take longer than many runs do. Both are measured, because processors differ in
    how much faster the one is than the other. They are compiled as a step is.

    Args:
        num_devices: Number of devices like it that train together.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    num_rows, width, wider = _GPU_PRODUCT if gpus else _CPU_PRODUCT
    rows, weights = tf.random.normal((num_rows, width)), tf.random.normal((width, wider))
    inputs = tf.random.normal((num_rows, wider))

    @tf.function(jit_compile=not gpus, autograph=False)
    def multiply() -> tf.Tensor:
        return tf.matmul(rows, weights)

    @tf.function(jit_compile=True, autograph=False)
    def activate() -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = tf.nn.softmax(tf.nn.gelu(inputs))
            outputs *= tf.math.rsqrt(tf.reduce_mean(outputs**2, axis=-1, keepdims=True) + 1e-5)
        return tape.gradient(outputs, inputs)

    @tf.function(autograph=False)
    def multiply_in_bfloat16() -> tf.Tensor:
        return tf.matmul(tf.cast(rows, tf.bfloat16), tf.cast(weights, tf.bfloat16))

    multiplying, slowed = _measure(multiply, has_cores=not gpus)
    activating, slowed_too = _measure(activate, has_cores=not gpus)
    narrow = _measure(multiply_in_bfloat16, has_cores=not gpus)[0]
    operations = 2 * num_rows * width * wider
    flops, bfloat16_flops = operations / multiplying, operations / narrow
    machine = Machine(
        _count(_num_cores(), "CPU core"),
        flops,
        num_devices=num_devices,
        activations=num_rows * wider / activating,
        bfloat16_flops=bfloat16_flops if bfloat16_flops > flops else None,
    )
    if gpus:
        name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
        return dataclasses.replace(machine, description=_count(num_devices, name), is_gpu=True)
    contention = max(1.0, (slowed + slowed_too) / 2)
    if contention >= _NOTICED_CONTENTION:
        description = f"{machine.description}, shared with other programs"
        machine = dataclasses.replace(machine, description=description)
    return dataclasses.replace(machine, contention=contention, memory_bytes=_memory_bytes())


def _measure(compute: Callable, has_cores: bool) -> tuple[float, float]:
    """Return the seconds that a computation takes alone, and how many times as long it takes now.

    The best of many counts, or what the processor time of all threads allows: that stays the
    same whatever else runs.
    """
    elapsed: list[float] = []
    used: list[float] = []
    compute()[0, 0].numpy()  # the first call compiles
    end = time.perf_counter() + _PROBE_SECONDS / 2
    while not elapsed or time.perf_counter() < end:
        started, processor = time.perf_counter(), time.process_time()
        compute()[0, 0].numpy()  # .numpy() waits for the result
        elapsed.append(time.perf_counter() - started)
        used.append(time.process_time() - processor)
    seconds = min(elapsed)
    if has_cores:
        seconds = min(seconds, statistics.median(used) / _num_cores() / _PARALLEL_EFFICIENCY)
    seconds = max(seconds, 1e-6)
    return seconds, statistics.mean(elapsed) / seconds


def _memory_bytes() -> int:
    """Return the machine's memory, or the container's if it may use less."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(physical, int(_CONTAINER_MEMORY.read_text("ascii")))
    except (OSError, ValueError):  # There is no such file, or it says "max".
        return physical


def _num_cores() -> int:
    # Not cpu_count: a container may have fewer.
    has_affinity = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"

"""What training costs: formulas with constants fitted to measured steps.

docs/explanation/laboratory.md has the measurements.

There are two kinds of work, because processors differ in how much faster the one is than the
other: that of matrix products, in operations, and everything else, in activations. Both are
measured for a machine; see `textgen.planning.machine`.
"""

from __future__ import annotations

import dataclasses

from textgen.config import TrainingConfig
from textgen.models import ModelConfig
from textgen.planning.machine import Machine
from textgen.planning.memory import count_activations, count_weights

# A training step's matrix products take this fraction of the time that their operations take in a
# large matrix product.
_MATRIX_WORK = 0.54
# The activations that take as long as writing and reading one number, forward and backward,
_ACTIVATION_WORK = 0.5
# as drawing one random number for dropout,
_DROPOUT_WORK = 2.9
# and as the optimizer's reads and writes for one weight.
_WEIGHT_WORK = 2.0
# The seconds of the host's part of a step, whatever the size.
_STEP_OVERHEAD = 0.001
# The seconds of overhead of one iteration of a sequential loop.
_ITERATION_OVERHEAD = 1e-5
# The seconds per layer that a CPU needs for the operations of a step outside XLA.
_PLAIN_LAYER_OVERHEAD = 0.0018
# The seconds that a GPU needs to launch the kernels of a layer. Not measured: a cautious guess.
_GPU_LAYER_OVERHEAD = 0.001
# How many times as fast a step must be in bfloat16 outside XLA to be worth it.
_MIN_GAIN_OF_BFLOAT16 = 1.1
# The work of the forward pass alone, as a fraction of that of a step.
_FORWARD_FRACTION = 0.35
# The seconds until the first step is compiled, for the model as a whole.
_COMPILE_SECONDS = 4.0
# The seconds that each layer adds to them, and by how much each adds to those of all others.
_COMPILE_LAYER_SECONDS, _COMPILE_GROWTH = 1.0, 1 / 30
# The seconds of an export: of any, those that each layer adds, and those per weight.
_EXPORT_SECONDS, _EXPORT_LAYER_SECONDS, _EXPORT_WEIGHT_SECONDS = 5.0, 0.75, 3e-8
# The seconds per weight of loading those of a trained model.
_LOADING_WEIGHT_SECONDS = 4e-8
# The seconds of generating a sample.
_SAMPLE_SECONDS = 0.7
# Below this speed, in FLOP/s, the host's own work is taken to be slower than the seconds above.
_REFERENCE_FLOPS = 120e9


def step_seconds(
    model: ModelConfig, training: TrainingConfig, vocab_size: int, machine: Machine
) -> float:
    """Return the estimated seconds per training step."""
    tokens = training.batch_size * model.context_length / machine.num_devices
    trains_all = not training.adapter_rank
    operations, activations = _work_per_token(model, vocab_size, trains_all)
    more_operations, more_activations = 0.0, 0.0
    if trains_all:
        more_operations, more_activations = _update_work(model, training, vocab_size)
    # Optimizers compute in float32.
    seconds = tokens * operations / _flops(training, machine) + more_operations / machine.flops
    seconds += (tokens * activations + more_activations) / machine.activations_per_second
    return seconds * machine.contention + _overhead(model, training, machine)


def in_fastest_precision(
    model: ModelConfig, training: TrainingConfig, vocab_size: int, machine: Machine
) -> TrainingConfig:
    """Return the settings with bfloat16 outside XLA if a step of a CPU is faster that way.

    A step must gain clearly: the seconds are estimates, and outside XLA other programs disturb
    it more.
    """
    can_gain = machine.bfloat16_flops and model.profile.is_bfloat16_faster
    if not can_gain or training.adapter_rank:
        return training
    narrow = dataclasses.replace(training, mixed_precision=True, jit_compile=False)
    seconds = step_seconds(model, narrow, vocab_size, machine)
    gain = step_seconds(model, training, vocab_size, machine) / seconds
    return narrow if gain > _MIN_GAIN_OF_BFLOAT16 else training


def validation_seconds(
    model: ModelConfig, num_tokens: int, vocab_size: int, machine: Machine
) -> float:
    """Return the estimated seconds of a validation of `num_tokens` and its sample."""
    operations, activations = _work_per_token(model, vocab_size)
    seconds = operations / machine.flops + activations / machine.activations_per_second
    tokens = _FORWARD_FRACTION * num_tokens / machine.num_devices
    return tokens * seconds * machine.contention + _SAMPLE_SECONDS * _slowness(machine)


def compile_seconds(model: ModelConfig, machine: Machine) -> float:
    """Return the estimated seconds until the first step is done."""
    layers = model.num_layers
    seconds = _COMPILE_SECONDS + _COMPILE_LAYER_SECONDS * layers * (1 + _COMPILE_GROWTH * layers)
    return seconds * _slowness(machine)


def loading_seconds(model: ModelConfig, vocab_size: int, machine: Machine) -> float:
    """Return the estimated seconds until a trained model can be trained on."""
    return _LOADING_WEIGHT_SECONDS * count_weights(model, vocab_size) * _slowness(machine)


def export_seconds(model: ModelConfig, vocab_size: int, machine: Machine) -> float:
    """Return the estimated seconds between the last validation and the end."""
    seconds = _EXPORT_SECONDS + _EXPORT_LAYER_SECONDS * model.num_layers
    seconds += _EXPORT_WEIGHT_SECONDS * count_weights(model, vocab_size)
    return seconds * _slowness(machine)


def _flops(training: TrainingConfig, machine: Machine) -> float:
    """Return the operations per second of the products that a step's precision decides on."""
    is_narrow = training.mixed_precision and training.jit_compile is False
    return (machine.bfloat16_flops if is_narrow else None) or machine.flops


def _slowness(machine: Machine) -> float:
    """Return how many times as long the host's own work takes as on the reference machine."""
    # The speed of a GPU says nothing about its host.
    slowness = 1.0 if machine.is_gpu else max(1.0, _REFERENCE_FLOPS / machine.flops)
    return slowness * machine.contention


def _overhead(model: ModelConfig, training: TrainingConfig, machine: Machine) -> float:
    """Return the seconds per step that do not depend on the work."""
    if machine.is_gpu:  # A library of the GPU runs sequential loops.
        return _STEP_OVERHEAD + _GPU_LAYER_OVERHEAD * model.num_layers
    seconds = _STEP_OVERHEAD + model.profile.sequential_iterations(model) * _ITERATION_OVERHEAD
    if training.jit_compile is False:
        seconds += _PLAIN_LAYER_OVERHEAD * model.num_layers
    return seconds * _slowness(machine)


def _work_per_token(
    model: ModelConfig, vocab_size: int, trains_all: bool = True
) -> tuple[float, float]:
    """Return the operations and the activations per token, forward and backward.

    A weight takes 6 operations (Kaplan et al. 2020, https://arxiv.org/abs/2001.08361), or 4 if
    it has no gradient of its own.
    """
    profile = model.profile
    weights = count_weights(model, vocab_size)
    draws = profile.dropout_draws(model) if model.dropout else 0
    operations = (6 if trains_all else 4) * weights + profile.attention_operations(model)
    activations = _ACTIVATION_WORK * count_activations(model, vocab_size) + _DROPOUT_WORK * draws
    return _MATRIX_WORK * operations, activations


def _update_work(
    model: ModelConfig, training: TrainingConfig, vocab_size: int
) -> tuple[float, float]:
    """Return the operations and the activations of the optimizer per step."""
    profile = model.profile
    weights = count_weights(model, vocab_size)
    optimizer = profile.optimizer if training.optimizer == "auto" else training.optimizer
    operations = 0
    if optimizer == "muon":
        operations = sum(_orthogonalization(*shape) for shape in profile.matrix_shapes(model))
    return _MATRIX_WORK * operations, _WEIGHT_WORK * weights


def _orthogonalization(rows: int, columns: int) -> int:
    """Return the operations of Muon; see `textgen.training.orthogonalization`."""
    short, long = sorted((rows, columns))
    # Two products as wide as the matrix, and nine square ones for three polynomials.
    return 4 * short**2 * long + 18 * short**3

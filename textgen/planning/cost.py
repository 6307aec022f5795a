"""What training costs: formulas with constants fitted to measured steps.

docs/explanation/laboratory.md has the measurements.

There are two kinds of work, because processors differ in how much faster the one is than the
other: that of matrix products, in operations, and everything else, in activations. Both are
measured for a machine; see `textgen.planning.machine`.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from textgen.config import TrainingConfig
from textgen.models import ModelConfig
from textgen.planning.machine import Machine
from textgen.planning.memory import count_activations, count_weights


class _Costs(NamedTuple):
    """What a step costs on one kind of device, as fitted to measured steps.

    Attributes:
        matrix_work: The time of a step's matrix products, as a multiple of the time that their
            operations take in a large product.
        activation_work: The activations that take as long as writing and reading one number,
            forward and backward,
        dropout_work: as drawing one random number for dropout,
        weight_work: and as the optimizer's reads and writes for one weight.
        step_overhead: The seconds of the host's part of a step, whatever the size.
        layer_overhead: The seconds per layer on top of that.
        iteration_overhead: The seconds per iteration of a sequential loop.
        compile_seconds: The seconds until the first step is compiled, for the model as a whole.
        compile_layer_seconds: The seconds that each layer adds to them.
    """

    matrix_work: float
    activation_work: float
    dropout_work: float
    weight_work: float
    step_overhead: float
    layer_overhead: float
    iteration_overhead: float
    compile_seconds: float
    compile_layer_seconds: float


_CPU_COSTS = _Costs(0.54, 0.5, 2.9, 2.0, 0.001, 0.0, 1e-5, 4.0, 1.0)
# Small products use little of a GPU; random numbers cost next to nothing there.
_GPU_COSTS = _Costs(1.7, 0.2, 0.2, 1.0, 0.0012, 0.0005, 4.2e-5, 25.0, 1.5)
# The seconds until the first step of a GPU that is not compiled by XLA.
_PLAIN_START_SECONDS = 5.0
# The seconds per layer that a CPU needs for the operations of a step outside XLA.
_PLAIN_LAYER_OVERHEAD = 0.0018
# How many times as fast a step must be in bfloat16 outside XLA to be worth it.
_MIN_GAIN_OF_BFLOAT16 = 1.1
# The work of the forward pass alone, as a fraction of that of a step.
_FORWARD_FRACTION = 0.35
# By how much each layer adds to the seconds of compiling all others.
_COMPILE_GROWTH = 1 / 30
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
    operations, activations = _work_per_token(model, vocab_size, machine, trains_all)
    more_operations, more_activations = 0.0, 0.0
    if trains_all:
        more_operations, more_activations = _update_work(model, training, vocab_size, machine)
    # Optimizers compute in float32.
    seconds = (
        tokens * operations / _flops(model, training, machine) + more_operations / machine.flops
    )
    seconds += (tokens * activations + more_activations) / machine.activations_per_second
    return seconds * machine.contention + _overhead(model, training, machine)


def in_fastest_precision(
    model: ModelConfig, training: TrainingConfig, vocab_size: int, machine: Machine
) -> TrainingConfig:
    """Return the settings with bfloat16 outside XLA if a step of a CPU is faster that way.

    A GPU needs no settings for it: see `textgen.training.dtype.choose_dtype`.

    A step must gain clearly: the seconds are estimates, and outside XLA other programs disturb
    it more.
    """
    can_gain = machine.bfloat16_flops and model.profile.is_bfloat16_faster
    if machine.is_gpu or not can_gain or training.adapter_rank:
        return training
    narrow = dataclasses.replace(training, mixed_precision=True, jit_compile=False)
    seconds = step_seconds(model, narrow, vocab_size, machine)
    gain = step_seconds(model, training, vocab_size, machine) / seconds
    return narrow if gain > _MIN_GAIN_OF_BFLOAT16 else training


def validation_seconds(
    model: ModelConfig, num_tokens: int, vocab_size: int, machine: Machine
) -> float:
    """Return the estimated seconds of a validation of `num_tokens` and its sample."""
    seconds = _forward_seconds(model, num_tokens, vocab_size, machine) / machine.num_devices
    return seconds + _SAMPLE_SECONDS * _slowness(machine)


def teaching_seconds(
    teacher: ModelConfig, num_tokens: int, vocab_size: int, machine: Machine
) -> float:
    """Return the estimated seconds until a teacher has predicted a text of `num_tokens`."""
    # Half of each window is only processed so that the other half has a context.
    seconds = _forward_seconds(teacher, 2 * num_tokens, vocab_size, machine)
    return seconds + loading_seconds(teacher, vocab_size, machine)


def _forward_seconds(
    model: ModelConfig, num_tokens: int, vocab_size: int, machine: Machine
) -> float:
    operations, activations = _work_per_token(model, vocab_size, machine)
    seconds = operations / machine.flops + activations / machine.activations_per_second
    return _FORWARD_FRACTION * num_tokens * seconds * machine.contention


def compile_seconds(model: ModelConfig, machine: Machine) -> float:
    """Return the estimated seconds until the first step is done."""
    if machine.is_gpu and not model.profile.is_xla_faster_on_gpu:
        return _PLAIN_START_SECONDS
    costs, layers = _costs(machine), model.num_layers
    seconds = costs.compile_seconds
    seconds += costs.compile_layer_seconds * layers * (1 + _COMPILE_GROWTH * layers)
    return seconds * _slowness(machine)


def loading_seconds(model: ModelConfig, vocab_size: int, machine: Machine) -> float:
    """Return the estimated seconds until a trained model can be trained on."""
    return _LOADING_WEIGHT_SECONDS * count_weights(model, vocab_size) * _slowness(machine)


def export_seconds(model: ModelConfig, vocab_size: int, machine: Machine) -> float:
    """Return the estimated seconds between the last validation and the end."""
    seconds = _EXPORT_SECONDS + _EXPORT_LAYER_SECONDS * model.num_layers
    seconds += _EXPORT_WEIGHT_SECONDS * count_weights(model, vocab_size)
    return seconds * _slowness(machine)


def _costs(machine: Machine) -> _Costs:
    return _GPU_COSTS if machine.is_gpu else _CPU_COSTS


def _flops(model: ModelConfig, training: TrainingConfig, machine: Machine) -> float:
    """Return the operations per second of the products that a step's precision decides on."""
    is_narrow = training.mixed_precision and training.jit_compile is False
    if machine.is_gpu:
        chosen = training.mixed_precision
        is_narrow = model.profile.is_bfloat16_faster if chosen is None else chosen
    return (machine.bfloat16_flops if is_narrow else None) or machine.flops


def _slowness(machine: Machine) -> float:
    """Return how many times as long the host's own work takes as on the reference machine."""
    # The speed of a GPU says nothing about its host.
    slowness = 1.0 if machine.is_gpu else max(1.0, _REFERENCE_FLOPS / machine.flops)
    return slowness * machine.contention


def _overhead(model: ModelConfig, training: TrainingConfig, machine: Machine) -> float:
    """Return the seconds per step that do not depend on the work."""
    costs = _costs(machine)
    seconds = costs.step_overhead + costs.layer_overhead * model.num_layers
    seconds += costs.iteration_overhead * model.profile.sequential_iterations(model)
    if training.jit_compile is False and not machine.is_gpu:
        seconds += _PLAIN_LAYER_OVERHEAD * model.num_layers
    return seconds * _slowness(machine)


def _work_per_token(
    model: ModelConfig, vocab_size: int, machine: Machine, trains_all: bool = True
) -> tuple[float, float]:
    """Return the operations and the activations per token, forward and backward.

    A weight takes 6 operations (Kaplan et al. 2020, https://arxiv.org/abs/2001.08361), or 4 if
    it has no gradient of its own.
    """
    profile, costs = model.profile, _costs(machine)
    weights = count_weights(model, vocab_size)
    draws = profile.dropout_draws(model) if model.dropout else 0
    operations = (6 if trains_all else 4) * weights + profile.attention_operations(model)
    activations = costs.activation_work * count_activations(model, vocab_size)
    return costs.matrix_work * operations, activations + costs.dropout_work * draws


def _update_work(
    model: ModelConfig, training: TrainingConfig, vocab_size: int, machine: Machine
) -> tuple[float, float]:
    """Return the operations and the activations of the optimizer per step."""
    profile, costs = model.profile, _costs(machine)
    weights = count_weights(model, vocab_size)
    optimizer = profile.optimizer if training.optimizer == "auto" else training.optimizer
    operations = 0
    if optimizer == "muon":
        operations = sum(_orthogonalization(*shape) for shape in profile.matrix_shapes(model))
    return costs.matrix_work * operations, costs.weight_work * weights


def _orthogonalization(rows: int, columns: int) -> int:
    """Return the operations of Muon; see `textgen.training.orthogonalization`."""
    short, long = sorted((rows, columns))
    # Two products as wide as the matrix, and nine square ones for three polynomials.
    return 4 * short**2 * long + 18 * short**3

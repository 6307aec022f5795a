"""What training costs: formulas with constants fitted to measured steps.

docs/explanation/laboratory.md has the measurements.

Work is counted in operations of the machine's probe, a matrix product: how many of them it would
do in the same time.
"""

from __future__ import annotations

from textgen.config import TrainingConfig
from textgen.models import ModelConfig
from textgen.planning.machine import Machine

# The work of one operation of a matrix product in a training step.
_MATRIX_WORK = 0.45
# The work of writing and reading one activation, forward and backward.
_ACTIVATION_WORK = 200.0
# The work of drawing one random number for dropout.
_DROPOUT_WORK = 1150.0
# The work of the optimizer's reads and writes for one weight.
_WEIGHT_WORK = 800.0
# The seconds of the host's part of a step, whatever the size.
_STEP_OVERHEAD = 0.001
# The seconds of overhead of one iteration of a sequential loop.
_ITERATION_OVERHEAD = 1e-5
# The seconds that a GPU needs to launch the kernels of a layer. Not measured: a cautious guess.
_GPU_LAYER_OVERHEAD = 0.001
# The work of the forward pass alone, as a fraction of that of a step.
_FORWARD_FRACTION = 0.35
# The seconds until the first step is compiled, for the model as a whole.
_COMPILE_SECONDS = 4.0
# The seconds that each layer adds to them.
_COMPILE_LAYER_SECONDS = 1.0
# The seconds of an export.
_EXPORT_SECONDS = 6.0
# The seconds of generating a sample.
_SAMPLE_SECONDS = 0.7
# The speed of the machine on which the seconds above were measured, in the probe's FLOP/s.
_REFERENCE_FLOPS = 200e9

_NEWTON_SCHULZ_ITERATIONS = 5


def count_matrix_weights(model: ModelConfig) -> int:
    """Return the weights of all layers' matrices, which every token is multiplied with."""
    return sum(rows * columns for rows, columns in model.profile.matrix_shapes(model))


def activation_bytes(model: ModelConfig, vocab_size: int) -> int:
    """Return the bytes per token that activations take until their gradients are known."""
    return 4 * (model.profile.activations(model) + 3 * vocab_size)


def step_seconds(
    model: ModelConfig, training: TrainingConfig, vocab_size: int, machine: Machine
) -> float:
    """Return the estimated seconds per training step."""
    tokens = training.batch_size * model.context_length / machine.num_devices
    work = tokens * _token_work(model, vocab_size) + _update_work(model, training, vocab_size)
    return work / machine.flops + _overhead(model, machine)


def validation_seconds(
    model: ModelConfig, num_tokens: int, vocab_size: int, machine: Machine
) -> float:
    """Return the estimated seconds of a validation of `num_tokens` and its sample."""
    work = _FORWARD_FRACTION * num_tokens / machine.num_devices * _token_work(model, vocab_size)
    return work / machine.flops + _SAMPLE_SECONDS * _slowness(machine)


def compile_seconds(model: ModelConfig, machine: Machine) -> float:
    """Return the estimated seconds until the first step is done."""
    seconds = _COMPILE_SECONDS + _COMPILE_LAYER_SECONDS * model.num_layers
    return seconds * _slowness(machine)


def export_seconds(machine: Machine) -> float:
    """Return the estimated seconds between the last validation and the end."""
    return _EXPORT_SECONDS * _slowness(machine)


def _slowness(machine: Machine) -> float:
    """Return how many times as long the host's own work takes as on the reference machine."""
    # The speed of a GPU says nothing about its host.
    return 1.0 if machine.is_gpu else max(1.0, _REFERENCE_FLOPS / machine.flops)


def _overhead(model: ModelConfig, machine: Machine) -> float:
    """Return the seconds per step that do not depend on the work."""
    if machine.is_gpu:  # A library of the GPU runs sequential loops.
        return _STEP_OVERHEAD + _GPU_LAYER_OVERHEAD * model.num_layers
    iterations = model.profile.sequential_iterations(model)
    return (_STEP_OVERHEAD + iterations * _ITERATION_OVERHEAD) * _slowness(machine)


def _token_work(model: ModelConfig, vocab_size: int) -> float:
    """Return the work per token, forward and backward.

    A weight takes 6 operations (Kaplan et al. 2020, https://arxiv.org/abs/2001.08361).
    """
    profile = model.profile
    weights = count_matrix_weights(model) + vocab_size * model.hidden_dim
    draws = profile.dropout_draws(model) if model.dropout else 0
    return (
        _MATRIX_WORK * (6 * weights + profile.attention_operations(model))
        + _ACTIVATION_WORK * (profile.activations(model) + vocab_size)
        + _DROPOUT_WORK * draws
    )


def _update_work(model: ModelConfig, training: TrainingConfig, vocab_size: int) -> float:
    """Return the work of the optimizer per step, which does not depend on the batch."""
    profile = model.profile
    weights = count_matrix_weights(model) + vocab_size * model.hidden_dim
    work = _WEIGHT_WORK * weights
    optimizer = profile.optimizer if training.optimizer == "auto" else training.optimizer
    if optimizer == "muon":
        operations = sum(_newton_schulz(*shape) for shape in profile.matrix_shapes(model))
        work += _MATRIX_WORK * _NEWTON_SCHULZ_ITERATIONS * operations
    return work


def _newton_schulz(rows: int, columns: int) -> int:
    """Return the operations per iteration; see `textgen.training.optimizers.Muon`."""
    short, long = sorted((rows, columns))
    return 4 * short**2 * long + 2 * short**3

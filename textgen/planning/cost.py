"""What training costs: formulas with constants fitted to measured steps, see docs/recipe.md.

Work is counted in operations of the machine's probe: what it would do in the same time.
"""

from __future__ import annotations

from textgen.config import ModelConfig, TrainingConfig
from textgen.planning.machine import Machine

# Operations of the probe in the time of one operation of a matrix product,
_MATRIX = 0.45
# in the time of writing and reading an activation, forwards and backwards,
_ACTIVATION = 200.0
# in the time of drawing a random number for one that dropout may drop,
_DROPPED = 1150.0
# and in the time of the optimizer's reading and writing all about one weight.
_WEIGHT = 800.0
# Seconds, whatever the size: the host's share of a step, and a turn of an LSTM's loop.
_STEP_OVERHEAD = 0.001
_TURN_OVERHEAD = 1e-5
# A GPU is told every kernel by itself. Measured on none yet: chosen on the slow side.
_GPU_LAYER_OVERHEAD = 0.001
# The forward pass alone, of a step's work.
_FORWARD_SHARE = 0.35
_COMPILE_SECONDS, _COMPILE_LAYER_SECONDS = 4.0, 1.0
_EXPORT_SECONDS = 6.0
_SAMPLE_SECONDS = 0.7
# What the probe says where these seconds were measured.
_USUAL_FLOPS = 200e9

_NEWTON_SCHULZ_ITERATIONS = 5


def count_matrix_weights(model: ModelConfig) -> int:
    """Return the weights of all layers' matrices, which every token is multiplied with."""
    width = model.hidden_dim
    if model.architecture == "lstm":
        return model.num_layers * 8 * width**2
    return model.num_layers * (4 * width**2 + 2 * width * _intermediate_dim(model))


def activation_bytes(model: ModelConfig, vocab_size: int) -> int:
    """Return the memory that a token's activations take until its gradients are known."""
    return 4 * (_activations(model) + 3 * vocab_size)


def step_seconds(
    model: ModelConfig, training: TrainingConfig, vocab_size: int, machine: Machine
) -> float:
    """Return about how long a training step takes."""
    tokens = training.batch_size * model.context_length / machine.num_devices
    work = tokens * _token_work(model, vocab_size) + _update_work(model, training, vocab_size)
    return work / machine.flops + _overhead(model, machine)


def validation_seconds(
    model: ModelConfig, num_tokens: int, vocab_size: int, machine: Machine
) -> float:
    """Return about how long a validation of so many tokens and its sample take."""
    work = _FORWARD_SHARE * num_tokens / machine.num_devices * _token_work(model, vocab_size)
    return work / machine.flops + _SAMPLE_SECONDS * _slowness(machine)


def compile_seconds(model: ModelConfig, machine: Machine) -> float:
    """Return about how long passes until the first step is done."""
    seconds = _COMPILE_SECONDS + _COMPILE_LAYER_SECONDS * model.num_layers
    return seconds * _slowness(machine)


def export_seconds(machine: Machine) -> float:
    """Return about how long passes between the last validation and the end."""
    return _EXPORT_SECONDS * _slowness(machine)


def _slowness(machine: Machine) -> float:
    # Of what the host does alone, a GPU's speed says nothing.
    return 1.0 if machine.is_gpu else max(1.0, _USUAL_FLOPS / machine.flops)


def _overhead(model: ModelConfig, machine: Machine) -> float:
    turns = model.num_layers * model.context_length if model.architecture == "lstm" else 0
    if machine.is_gpu:  # cuDNN runs the LSTM's loop
        return _STEP_OVERHEAD + _GPU_LAYER_OVERHEAD * model.num_layers
    return (_STEP_OVERHEAD + turns * _TURN_OVERHEAD) * _slowness(machine)


def _token_work(model: ModelConfig, vocab_size: int) -> float:
    """Of a token, forwards and backwards.

    6 operations a weight, and attention: Kaplan et al. 2020, https://arxiv.org/abs/2001.08361.
    """
    width, layers = model.hidden_dim, model.num_layers
    matrices, attention = 6 * count_matrix_weights(model), 0
    if model.architecture == "transformer":
        attention = 12 * layers * model.context_length * width
    output = 6 * vocab_size * width
    return (
        _MATRIX * (matrices + attention + output)
        + _ACTIVATION * (_activations(model) + vocab_size)
        + _DROPPED * _dropped(model)
    )


def _update_work(model: ModelConfig, training: TrainingConfig, vocab_size: int) -> float:
    """Of a step, whatever the batch: the optimizer's."""
    weights = count_matrix_weights(model) + vocab_size * model.hidden_dim
    work = _WEIGHT * weights
    if model.architecture == "transformer" and training.optimizer != "adamw":
        # Muon makes the two matrices of a feed-forward layer and the four of attention orthogonal.
        width, inner = model.hidden_dim, _intermediate_dim(model)
        iteration = 2 * _newton_schulz(width, inner) + 4 * _newton_schulz(width, width)
        work += _MATRIX * model.num_layers * _NEWTON_SCHULZ_ITERATIONS * iteration
    return work


def _newton_schulz(rows: int, columns: int) -> int:
    """Of one iteration; see `textgen.training.optimizers.Muon`."""
    short, long = sorted((rows, columns))
    return 4 * short**2 * long + 2 * short**3


def _activations(model: ModelConfig) -> int:
    """Numbers a token that the backward pass needs, those of the vocabulary aside."""
    width = model.hidden_dim
    if model.architecture == "lstm":
        return model.num_layers * 12 * width
    attended = model.num_heads * model.context_length
    return model.num_layers * (10 * width + 3 * _intermediate_dim(model) + 3 * attended)


def _dropped(model: ModelConfig) -> int:
    """Random numbers a token for dropout."""
    if not model.dropout:
        return 0
    width, layers = model.hidden_dim, model.num_layers
    if model.architecture == "lstm":
        return layers * width
    return width + layers * (2 * width + model.num_heads * model.context_length)


def _intermediate_dim(model: ModelConfig) -> int:
    return model.intermediate_dim or 4 * model.hidden_dim

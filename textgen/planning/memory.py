"""The memory that training takes, and into how many parts a batch must be split to fit."""

from __future__ import annotations

import dataclasses

from textgen.config import ModelConfig, TrainingConfig
from textgen.errors import ConfigError
from textgen.planning.machine import Machine

# What the programs take, before any weight, and what each layer adds while it is compiled.
_PROGRAM_BYTES, _LAYER_BYTES = 2**30, 5 * 2**23
# The memory for the activations of a batch per device, which every device on the market has.
_ACTIVATION_BYTES = 2**32
# Those of a part of a batch may take this fraction of the memory, if it is known. More parts take
# no longer: see docs/explanation/laboratory.md.
_PART_FRACTION = 1 / 32


def count_matrix_weights(model: ModelConfig) -> int:
    """Return the weights of all layers' matrices, which every token is multiplied with."""
    return sum(rows * columns for rows, columns in model.profile.matrix_shapes(model))


def count_weights(model: ModelConfig, vocab_size: int) -> int:
    """Return the weights of all matrices, the embedding included."""
    return count_matrix_weights(model) + vocab_size * model.hidden_dim


def count_activations(model: ModelConfig, vocab_size: int) -> int:
    """Return the numbers per token that the backward pass needs, logits and their loss included."""
    return model.profile.activations(model) + 3 * vocab_size


def activations_fit(
    model: ModelConfig, training: TrainingConfig, vocab_size: int, machine: Machine
) -> bool:
    """Return whether every device has memory for the activations of a batch.

    Args:
        model: The model, whose context is as long as a window.
        training: How it is trained.
        vocab_size: Number of tokens.
        machine: The machine that it is trained on.
    """
    return _part_bytes(model, training, vocab_size, machine) <= _ACTIVATION_BYTES


def split_to_fit(
    model: ModelConfig, training: TrainingConfig, vocab_size: int, machine: Machine
) -> TrainingConfig:
    """Return settings with as many parts per batch as its activations need; see above."""
    most: float = _ACTIVATION_BYTES
    if machine.memory_bytes is not None:
        most = min(most, _PART_FRACTION * machine.memory_bytes)
    while _part_bytes(model, training, vocab_size, machine) > most:
        parts = 2 * training.accumulate
        if training.batch_size % (parts * machine.num_devices):
            break
        training = dataclasses.replace(training, accumulate=parts)
    return training


def training_bytes(
    model: ModelConfig, training: TrainingConfig, vocab_size: int, machine: Machine
) -> int:
    """Return the estimated bytes that training takes on each device.

    Every weight that is trained has a gradient and two slots of the optimizer. A sample or an
    export has a copy of the weights.
    """
    copies = 2 if training.adapter_rank else 5
    weight_bytes = 4 * copies * count_weights(model, vocab_size)
    program_bytes = _PROGRAM_BYTES + model.num_layers * _LAYER_BYTES
    return program_bytes + weight_bytes + _part_bytes(model, training, vocab_size, machine)


def check_memory(
    model: ModelConfig, training: TrainingConfig, vocab_size: int, machine: Machine
) -> None:
    """Check that training fits into the memory of a machine.

    Raises:
        ConfigError: If it does not.
    """
    needed, available = training_bytes(model, training, vocab_size, machine), machine.memory_bytes
    if available is not None and needed > available:
        raise ConfigError(
            f"Training must fit into this machine's memory of {available / 1e9:,.1f} GB. "
            f"Received: batch_size={training.batch_size}, num_layers={model.num_layers}, "
            f"hidden_dim={model.hidden_dim}, context_length={model.context_length}, which "
            f"would take about {needed / 1e9:,.1f} GB"
        )


def _part_bytes(
    model: ModelConfig, training: TrainingConfig, vocab_size: int, machine: Machine
) -> int:
    """Return the bytes that the activations of a part of a batch take."""
    rows = -(-training.batch_size // (training.accumulate * machine.num_devices))
    return 4 * rows * model.context_length * count_activations(model, vocab_size)

"""The formulas of costs agree with the models and with measured steps."""

import dataclasses
import math

import pytest

from textgen.config import ModelConfig, TrainingConfig
from textgen.planning import Machine, cost, memory

MACHINE = Machine("2 CPU cores", 240e9)


@pytest.mark.parametrize("architecture", ["transformer", "llama", "lstm"])
def test_the_weights_of_matrices_are_those_of_the_model(architecture):
    from textgen.models import build_model

    config = ModelConfig(architecture, num_layers=3, num_heads=2, hidden_dim=16, context_length=8)
    model = build_model(config, vocab_size=11, seed=0)
    kernels = [v.shape for v in model.trainable_variables if v.path.endswith("kernel")]
    counted = sum(math.prod(shape) for shape in kernels if 11 not in shape)
    assert memory.count_matrix_weights(config) == counted


# Milliseconds on 2 cores of the machine to which the formula was fitted,
# from docs/explanation/laboratory.md.
@pytest.mark.parametrize(
    ("shape", "batch_size", "vocab_size", "measured"),
    [
        ({"hidden_dim": 128, "context_length": 64, "dropout": 0.0}, 12, 65, 30),
        ({"hidden_dim": 128, "context_length": 64, "dropout": 0.0}, 32, 65, 60),
        ({"hidden_dim": 128, "context_length": 64, "dropout": 0.0}, 16, 2048, 47),
        ({"hidden_dim": 128, "context_length": 128, "dropout": 0.1}, 16, 2048, 126),
        ({"hidden_dim": 192, "context_length": 128, "dropout": 0.0}, 16, 2048, 151),
    ],
)
def test_a_step_takes_about_what_was_measured(shape, batch_size, vocab_size, measured):
    model = ModelConfig(num_layers=4, num_heads=4, **shape)
    training = TrainingConfig(batch_size=batch_size)
    seconds = cost.step_seconds(model, training, vocab_size, MACHINE)
    assert seconds == pytest.approx(measured / 1000, rel=0.1)


@pytest.mark.parametrize(
    ("architecture", "num_layers", "hidden_dim", "context_length", "batch_size", "measured"),
    [
        ("transformer", 6, 384, 256, 64, 10.4),
        ("transformer", 4, 128, 64, 64, 4.5),
        ("transformer", 12, 768, 256, 64, 50.9),
        ("lstm", 2, 768, 256, 64, 29.3),
        ("lstm", 2, 256, 128, 32, 12.1),
    ],
)
def test_a_step_on_a_gpu_takes_about_what_was_measured(
    architecture, num_layers, hidden_dim, context_length, batch_size, measured
):
    shape = {"num_layers": num_layers, "hidden_dim": hidden_dim, "context_length": context_length}
    model = ModelConfig(architecture, **shape, dropout=0.0)
    machine = Machine("H200", 355e12, is_gpu=True, activations=77e9, bfloat16_flops=620e12)
    training = TrainingConfig(batch_size=batch_size)
    seconds = cost.step_seconds(model, training, 65, machine)
    assert seconds == pytest.approx(measured / 1000, rel=0.25)


def test_muon_and_dropout_take_time_and_devices_share_it():
    def seconds(machine=MACHINE, dropout=0.0, optimizer="adamw"):
        training = TrainingConfig(optimizer=optimizer)
        return cost.step_seconds(ModelConfig(dropout=dropout), training, 2048, machine)

    assert seconds(optimizer="muon") > seconds()
    assert seconds(dropout=0.1) > seconds()
    assert seconds(Machine("2 devices", 240e9, num_devices=2)) < seconds()


def test_products_and_activations_take_time_apart_and_other_programs_stretch_it():
    def seconds(**changes):
        machine = dataclasses.replace(MACHINE, activations=5e8)
        machine = dataclasses.replace(machine, **changes)
        return cost.step_seconds(ModelConfig(), TrainingConfig(), 2048, machine)

    slow_products, slow_activations = seconds(flops=120e9), seconds(activations=2.5e8)
    assert seconds() < min(slow_products, slow_activations)
    assert slow_products + slow_activations == pytest.approx(3 * seconds(), rel=0.02)
    assert seconds(contention=2.0) == pytest.approx(2 * seconds())

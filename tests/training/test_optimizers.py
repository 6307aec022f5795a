"""Muon's matrices are the model's, however many axes Keras gives their kernels."""

import keras
import numpy as np
import pytest

from textgen.config import ModelConfig, TrainingConfig
from textgen.models import build_model
from textgen.training.optimizers import build_optimizer
from textgen.training.orthogonalization import orthogonalize

HEADS, WIDTH = 4, 16


def updated(shape, name, weight, gradient):
    """Return the matrix after one step of Muon on it, stored in that shape."""
    variable = keras.Variable(weight.reshape(shape), name=name)
    config = TrainingConfig(max_steps=10, warmup_steps=0, optimizer="muon")
    optimizer = build_optimizer(config, ModelConfig(), [variable])
    optimizer.apply([keras.ops.convert_to_tensor(gradient.reshape(shape))])
    return np.reshape(variable, weight.shape)


@pytest.mark.parametrize("shape", [(WIDTH, HEADS, 4), (HEADS, 4, WIDTH), (WIDTH, 1, WIDTH)])
def test_a_kernel_of_heads_is_updated_as_the_matrix_it_is(shape):
    weight, gradient = np.random.default_rng(0).normal(0, 1, (2, WIDTH, WIDTH)).astype(np.float32)
    as_matrix = updated((WIDTH, WIDTH), "kernel", weight, gradient)
    np.testing.assert_allclose(updated(shape, "kernel", weight, gradient), as_matrix, rtol=1e-5)


def test_the_update_of_a_matrix_is_about_orthogonal():
    gradient = np.random.default_rng(0).normal(0, 1, (WIDTH, WIDTH)).astype(np.float32)
    change = updated((WIDTH, HEADS, 4), "kernel", np.zeros_like(gradient), gradient)
    stretches = np.linalg.svd(change, compute_uv=False) / 0.02
    assert stretches.min() > 0.5
    assert stretches.max() < 1.3


@pytest.mark.parametrize("architecture", ["transformer", "llama", "lstm"])
def test_muon_takes_every_kernel_and_adam_the_rest(architecture):
    shape = ModelConfig(architecture, num_layers=1, num_heads=HEADS, hidden_dim=WIDTH)
    variables = build_model(shape, vocab_size=11).trainable_variables
    optimizer = build_optimizer(TrainingConfig(optimizer="muon"), shape, variables)
    for variable, velocity in zip(variables, optimizer.adam_velocities, strict=True):
        assert (velocity is None) == variable.path.endswith("kernel"), variable.path


def test_matrices_found_together_move_as_each_by_itself():
    generator = np.random.default_rng(1)
    shapes = [(WIDTH, WIDTH), (WIDTH, 24), (24, WIDTH), (WIDTH, WIDTH)]
    weights = [generator.normal(0, 1, shape).astype(np.float32) for shape in shapes]
    together, alone = ([keras.Variable(w, name="kernel") for w in weights] for _ in range(2))
    config = TrainingConfig(max_steps=10, warmup_steps=0, optimizer="muon")
    optimizer = build_optimizer(config, ModelConfig(), together)
    optimizers = [build_optimizer(config, ModelConfig(), [variable]) for variable in alone]
    for _ in range(3):
        gradients = [
            keras.ops.convert_to_tensor(generator.normal(0, 1, shape).astype(np.float32))
            for shape in shapes
        ]
        optimizer.apply(gradients)
        for single, gradient in zip(optimizers, gradients, strict=True):
            single.apply([gradient])
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_momentum_is_nesterov_s():
    generator = np.random.default_rng(2)
    gradients = generator.normal(0, 1, (3, WIDTH, WIDTH)).astype(np.float32)
    variable = keras.Variable(np.zeros((WIDTH, WIDTH), np.float32), name="kernel")
    config = TrainingConfig(warmup_steps=0, weight_decay=0.0, optimizer="muon")
    optimizer = build_optimizer(config, ModelConfig(), [variable])
    momentum, weight = np.zeros_like(gradients[0]), np.zeros_like(gradients[0])
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)])
        momentum = 0.95 * momentum + gradient
        weight -= 0.02 * orthogonalize((gradient + 0.95 * momentum)[None])[0].numpy()
    np.testing.assert_allclose(variable, weight, atol=1e-5)


@pytest.mark.parametrize(("width", "peak"), [(96, 8e-3), (384, 8e-3), (768, 2e-3)])
def test_a_wide_lstm_learns_at_a_lower_rate(width, peak):
    kernel = keras.Variable(np.zeros((width, 4 * width), np.float32), name="recurrent_kernel")
    model = ModelConfig("lstm", hidden_dim=width)
    optimizer = build_optimizer(TrainingConfig(warmup_steps=0), model, [kernel])
    assert float(optimizer.learning_rate) == pytest.approx(peak)

"""The loop with its own gradient is `keras.layers.LSTM`."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from textgen.config import ModelConfig
from textgen.models import build_model
from textgen.models.lstm.scan import lstm_scan

_BATCH_SIZE, _TIME, _INPUT, _WIDTH = 3, 7, 5, 4


def _keras_lstm():
    layer = keras.layers.LSTM(_WIDTH, return_sequences=True)
    layer.build((_BATCH_SIZE, _TIME, _INPUT))
    generator = np.random.default_rng(0)
    for variable in layer.trainable_variables:
        variable.assign(generator.normal(size=variable.shape))
    return layer


@pytest.mark.parametrize("jit_compile", [False, True])
def test_outputs_and_gradients_are_those_of_keras(jit_compile):
    layer = _keras_lstm()
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(_BATCH_SIZE, _TIME, _INPUT)).astype(np.float32)
    # A gradient that differs in every place, so that none can be mistaken for another.
    weights = generator.normal(size=(_BATCH_SIZE, _TIME, _WIDTH)).astype(np.float32)
    kernel, recurrent_kernel, bias = (tf.constant(v.numpy()) for v in layer.trainable_variables)

    @tf.function(jit_compile=jit_compile)
    def scanned(inputs, kernel, recurrent_kernel, bias):
        with tf.GradientTape() as tape:
            arguments = (inputs, kernel, recurrent_kernel, bias)
            tape.watch(arguments)
            projected = tf.tensordot(tf.transpose(inputs, (1, 0, 2)), kernel, 1) + bias
            outputs = tf.transpose(lstm_scan(projected, recurrent_kernel), (1, 0, 2))
            loss = tf.reduce_sum(outputs * weights)
        return outputs, tape.gradient(loss, arguments)

    inputs = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        expected = layer(inputs)
        loss = tf.reduce_sum(expected * weights)
    expected_gradients = tape.gradient(loss, [inputs, *(v.value for v in layer.variables[:3])])

    outputs, gradients = scanned(inputs, kernel, recurrent_kernel, bias)

    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, expected_gradient, atol=1e-5)


# Fewer tokens than the width are looked up after the projection, more before it.
@pytest.mark.parametrize("vocab_size", [6, 11])
def test_the_model_gives_the_same_with_the_layers_and_the_scan(vocab_size):
    config = ModelConfig(
        architecture="lstm", num_layers=2, hidden_dim=8, context_length=6, dropout=0.0
    )
    model = build_model(config, vocab_size)
    tokens = np.random.default_rng(2).integers(vocab_size, size=(2, 6))
    results = []
    for run in (model._run_layers, model._scan):
        with tf.GradientTape() as tape:
            hidden = run(tokens, training=True)
            loss = tf.reduce_sum(tf.sin(model.output_dense(hidden)))
        variables = [v.value for v in model.trainable_variables]
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]
        results.append((hidden, gradients))

    (hidden, gradients), (scanned, scanned_gradients) = results
    np.testing.assert_allclose(scanned, hidden, atol=1e-6)
    for gradient, scanned_gradient in zip(gradients, scanned_gradients, strict=True):
        np.testing.assert_allclose(scanned_gradient, gradient, atol=1e-5)


def test_in_bfloat16_the_scan_stays_near_float32():
    config = ModelConfig(architecture="lstm", num_layers=2, hidden_dim=8, context_length=6)
    tokens = np.random.default_rng(3).integers(11, size=(2, 6))
    full = build_model(config, 11)(tokens)
    mixed = build_model(config, 11, dtype="mixed_bfloat16")(tokens)
    np.testing.assert_allclose(mixed, full, atol=0.02)

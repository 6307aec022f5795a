"""Everything private of Keras and KerasNLP that textgen uses.

No other module may name a private attribute of theirs. tests/test_keras_internals.py compares
these with the installed versions and says what to do if one has changed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import keras
import keras_nlp
import tensorflow as tf


class SummedGradients(keras.optimizers.Optimizer):
    """An optimizer whose gradients are already summed over all replicas.

    Keras would sum them right before the update, which is too late for clipping, and would send
    them over the network a second time.
    """

    _rate: tf.Tensor | None = None

    def apply_at(self, rate: tf.Tensor, gradients: Sequence[tf.Tensor]) -> None:
        """Update the variables with a learning rate, float32[], that the caller computes."""
        object.__setattr__(self, "_rate", rate)
        try:
            self.apply(gradients)
        finally:
            object.__setattr__(self, "_rate", None)

    def _get_current_learning_rate(self):
        return super()._get_current_learning_rate() if self._rate is None else self._rate

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars


class MatrixMuon(SummedGradients, keras.optimizers.Muon):
    """Muon with the matrices that a subclass names, and all their directions found together."""

    def is_matrix(self, variable: keras.Variable) -> bool:
        """Whether Muon updates the variable; AdamW updates the others."""
        raise NotImplementedError

    def directions(
        self, gradients: Sequence[tf.Tensor], momenta: Sequence[tf.Tensor]
    ) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """Return the new momentum and the direction of every matrix.

        Args:
            gradients: The gradient of each matrix.
            momenta: The momentum of each matrix from the previous step.
        """
        raise NotImplementedError

    def _should_use_adamw(self, variable):
        return not self.is_matrix(variable)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        grads = list(grads)
        matrices = [i for i, v in enumerate(trainable_variables) if self.is_matrix(v)]
        slots = [self._get_variable_index(trainable_variables[i]) for i in matrices]
        updates = self.directions([grads[i] for i in matrices], [self.momentums[i] for i in slots])
        for index, update in zip(matrices, updates, strict=True):
            grads[index] = update
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def update_step(self, gradient, variable, learning_rate):
        """Update a variable by its gradient, or a matrix by its momentum and direction."""
        if not isinstance(gradient, tuple):
            super().update_step(gradient, variable, learning_rate)
            return
        momentum, direction = gradient
        self.assign(self.momentums[self._get_variable_index(variable)], momentum)
        self.assign_sub(variable, learning_rate * direction)


class CustomAttentionBlock(keras_nlp.layers.TransformerDecoder):
    """KerasNLP's block with the attention of a subclass between its projections."""

    def build(self, input_shape):
        """Create the variables."""
        super().build(input_shape)
        # Keras lets subclasses of its attention override this, but KerasNLP makes the layer.
        self._self_attention_layer._compute_attention = self._compute_attention

    def attend(self, query, key, value, normalize: Callable[[tf.Tensor], tf.Tensor]):
        """Mix the values.

        Args:
            query: The projected queries [B, T, H, K], not scaled.
            key: The projected keys, of the same shape.
            value: The projected values, of the same shape.
            normalize: Turns scores [B, H, T, T] into weights: mask, softmax and dropout.

        Returns:
            The mixed values [B, T, H, K].
        """
        raise NotImplementedError

    def _compute_attention(self, query, key, value, attention_mask=None, training=False, **_):
        layer = self._self_attention_layer

        def normalize(scores):
            weights = layer._masked_softmax(scores, attention_mask)
            return layer._dropout_layer(weights, training=training)

        # Keras wants scores, too, which KerasNLP ignores.
        return self.attend(query, key, value, normalize), None


def dense_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return all layers of a model that can have a low-rank adapter."""
    kinds = (keras.layers.Dense, keras.layers.EinsumDense)
    return [layer for layer in model._flatten_layers() if isinstance(layer, kinds)]


def base_kernel(layer: keras.layers.Layer) -> keras.Variable:
    """Return the kernel of a dense layer without its adapter."""
    return layer._kernel


def enable_adapter(layer: keras.layers.Layer, rank: int) -> None:
    """Give a dense layer Keras' low-rank adapter, but apply its factors one after the other.

    Keras adds their product to the kernel in every step, and so computes the gradient of the
    whole kernel. Without that, a step has a third fewer operations.
    """
    layer.enable_lora(rank)
    layer.call = functools.partial(_call_adapted, layer)


def _call_adapted(layer, inputs, training=None):
    a, b = (
        keras.ops.cast(factor, inputs.dtype)
        for factor in (layer.lora_kernel_a, layer.lora_kernel_b)
    )
    if isinstance(layer, keras.layers.Dense):
        x = keras.ops.matmul(inputs, layer._kernel)
        low = keras.ops.matmul(inputs, a)
    else:
        x = keras.ops.einsum(layer.equation, inputs, layer._kernel)
        # The last dimension of the kernel, and of the output, becomes that of the rank.
        rank = next(letter for letter in "rxyz" if letter not in layer.equation)
        operands, output = layer.equation.split("->")
        assert operands[-1] == output[-1]
        low = keras.ops.einsum(f"{operands[:-1]}{rank}->{output[:-1]}{rank}", inputs, a)
    x += keras.ops.matmul(low, b)
    if layer.bias is not None:
        x += layer.bias
    return x if layer.activation is None else layer.activation(x)

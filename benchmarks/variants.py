"""What `recipe.py` trains: textgen's Transformer and Muon, changed in one place or another."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras
import numpy as np
from keras import ops

from textgen.models.transformer.model import TransformerModel
from textgen.training import optimizers
from textgen.training.orthogonalization import orthogonalize

# textgen has the best three polynomials; these are the best four for [0.003, 1].
FOUR = (
    (8.3837, -24.7659, 18.3571),
    (4.0434, -3.0114, 0.5695),
    (3.5056, -2.6267, 0.5257),
    (2.4901, -1.8343, 0.4368),
)


def orthogonalization(name: str):
    """Return a function that orthogonalizes matrices [N, R, C], R <= C."""
    if name == "keras":
        muon = keras.optimizers.Muon()
        return lambda matrices: muon.zeropower_via_newtonschulz5(matrices, 5)
    return orthogonalize if name == "three" else lambda matrices: orthogonalize(matrices, FOUR)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What variants change; the defaults are what textgen does."""

    # The optimizer.
    learning_rate: float = 2e-2
    adam_ratio: float = 0.2
    momentum: float = 0.95
    attention: str = "matrix"  # to Muon; or "heads", each by itself, or "adam"
    polynomials: str = "three"  # or "four", or "keras": the same one five times
    scale: bool = False  # updates of wide matrices by sqrt(columns / rows)
    weight_decay: float = 0.1
    beta_2: float = 0.99
    # The schedule.
    schedule: str = "cosine"  # or "linear", or the share of the steps that decays: "0.4"
    final: float = 0.1
    warmup: float = 0.05  # of the steps, but 100 at most
    mean: float = 0.0  # the share of the steps, at the end, whose weights are averaged
    clip_norm: float = 1.0
    # What the first half of the tokens is read in; 0: batches and windows of the usual size.
    first_batch: int = 0
    first_context: int = 0
    # The model.
    activation: str = "gelu"  # or "relu2", "swiglu"
    positions: str = "relative"  # or "learned", "rotary", "alibi", "none"
    qk_norm: bool = False
    value_residual: bool = False
    token_shift: bool = False
    residual_scale: float = 1.0  # of the initial projections back into the residual stream
    embedding_stddev: float = 0.02
    untied: bool = False  # the output has an embedding of its own


OF_THE_MODEL = [field.name for field in dataclasses.fields(Settings)][15:]
VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "adam-attention": {"attention": "adam"},
    "heads": {"attention": "heads"},
    "keras-polynomials": {"polynomials": "keras"},
    "four-polynomials": {"polynomials": "four"},
    "scale": {"scale": True},  # Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/
    "linear": {"schedule": "linear", "final": 0.0},
    "wsd": {"schedule": "0.4", "final": 0.0},  # Hu et al. 2024, https://arxiv.org/abs/2404.06395
    "relu2": {"activation": "relu2"},  # So et al. 2021, https://arxiv.org/abs/2109.08668
    "swiglu": {"activation": "swiglu"},  # Shazeer 2020, https://arxiv.org/abs/2002.05202
    "learned": {"positions": "learned"},
    "rotary": {"positions": "rotary"},  # Su et al. 2021, https://arxiv.org/abs/2104.09864
    "alibi": {"positions": "alibi"},  # Press et al. 2022, https://arxiv.org/abs/2108.12409
    "no-positions": {"positions": "none"},
    "qk-norm": {"qk_norm": True},  # Henry et al. 2020, https://arxiv.org/abs/2010.04245
    "value-residual": {
        "value_residual": True
    },  # Zhou et al. 2024, https://arxiv.org/abs/2410.17897
    "token-shift": {"token_shift": True},
    "zero-residual": {"residual_scale": 0.0},
    "untied": {"untied": True},
    "no-warmup": {"warmup": 0.0},
    # Smith et al. 2018, https://arxiv.org/abs/1711.00489
    "small-batches-first": {"first_batch": 8},
    # Li et al. 2022, https://arxiv.org/abs/2108.06084
    "short-windows-first": {"first_batch": 32, "first_context": 32},
}


class Muon(optimizers.Muon):
    """textgen's, with other updates of the matrices."""

    settings: Settings

    def is_matrix(self, variable):
        adam = self.settings.attention == "adam" and len(variable.shape) == 3
        return not adam and super().is_matrix(variable)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        # One matrix after the other, as Keras does it, if each is treated in its own way.
        together = self.settings.attention == "matrix" and not self.settings.scale
        update = (optimizers if together else keras.optimizers).Muon._backend_update_step
        update(self, grads, trainable_variables, learning_rate)

    def zeropower_via_newtonschulz5(self, x, steps):
        matrix, order = x, None
        if len(x.shape) == 3 and self.settings.attention == "heads":
            # [D, H, K] or [H, K, D]
            order = (1, 0, 2) if x.shape[0] == max(x.shape) else (0, 1, 2)
            matrix = ops.transpose(x, order)
        elif len(x.shape) == 3:
            matrix = ops.reshape(x, (max(x.shape), max(x.shape)))
        direction = self._direction(matrix)
        return ops.transpose(direction, order) if order else ops.reshape(direction, x.shape)

    def _direction(self, matrix):
        is_tall = matrix.shape[-2] > matrix.shape[-1]
        wide = ops.swapaxes(matrix, -2, -1) if is_tall else matrix
        found = optimizers.orthogonalize(ops.reshape(wide, (-1, *wide.shape[-2:])))
        found = ops.reshape(found, wide.shape)
        return ops.swapaxes(found, -2, -1) if is_tall else found

    def lr_adjust(self, x):
        is_wide = self.settings.scale and len(x.shape) == 2
        return x * (math.sqrt(max(1, x.shape[1] / x.shape[0])) if is_wide else 1.0)


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Warmup, a plateau for some schedules, and the way down."""

    def __init__(self, settings: Settings, steps: int) -> None:
        self.settings, self.steps = settings, steps
        self.warmup = min(100, int(steps * settings.warmup))

    def __call__(self, step):
        step = ops.cast(step, "float32")
        kind, final = self.settings.schedule, self.settings.final
        left = (self.steps - step) / (self.steps - self.warmup)
        if kind == "cosine":
            curve = (1 - ops.cos(np.pi * left)) / 2
        else:
            curve = ops.minimum(1.0, left / (1.0 if kind == "linear" else float(kind)))
        warm = (step + 1) / (self.warmup + 1)
        share = ops.where(step < self.warmup, warm, final + (1 - final) * curve)
        return self.settings.learning_rate * share


class VariantModel(TransformerModel):
    """textgen's variables, and what a variant needs besides, in a forward pass of its own."""

    def __init__(self, config, vocab_size, settings: Settings) -> None:
        super().__init__(config, vocab_size)
        self.settings = settings

    def build(self, input_shape):
        super().build(input_shape)
        width, s = self.config.hidden_dim, self.settings

        def add(name, *shape):
            return self.add_weight(shape=shape, name=name)

        layers = range(self.config.num_layers)
        if s.positions == "learned":
            self.places = add("place_embedding", self.config.context_length, width)
        if s.activation == "swiglu":
            inner = self.config.intermediate_dim
            self.gates = [add(f"gate_{i}_kernel", width, inner) for i in layers]
        if s.qk_norm:
            self.gains = [add(f"qk_{i}_gamma", width // self.config.num_heads) for i in layers]
        if s.value_residual:
            self.value_mixes = [add(f"value_{i}_beta", 2) for i in layers]
        if s.token_shift:
            self.shift = add("shift_beta", width)
        if s.untied:
            self.output_embedding = add("output_embedding", self.vocab_size, width)

    def initial_value(self, path, shape, generator):
        value = super().initial_value(path, shape, generator)
        if "attention_output" in path or "feedforward_output" in path:
            return value * self.settings.residual_scale
        return value * self.settings.embedding_stddev / 0.02 if "embedding" in path else value

    def call(self, token_ids, training=False):
        s, x, first_value = self.settings, self.embedding(token_ids), None
        if s.positions == "learned":
            x += self.places
        if s.token_shift:
            x += self.shift * ops.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        for index, block in enumerate(self.blocks):
            normed = block._self_attention_layer_norm(x)
            mixed, first_value = self._attend(block, index, normed, first_value)
            x += mixed
            x += self._feed_forward(block, index, block._feedforward_layer_norm(x))
        if s.untied:
            return self.norm(x) @ ops.transpose(self.output_embedding)
        return self.embedding(self.norm(x), reverse=True)

    def _attend(self, block, index, x, first_value):
        s, attention = self.settings, block._self_attention_layer
        q, k, v = (  # (B, T, H, K)
            dense(x)
            for dense in (attention._query_dense, attention._key_dense, attention._value_dense)
        )
        first_value = v if first_value is None else first_value
        if s.value_residual:
            v = (1 + self.value_mixes[index][0]) * v + self.value_mixes[index][1] * first_value
        if s.qk_norm:
            q, k = _rms_norm(q) * self.gains[index], _rms_norm(k)
        if s.positions == "rotary":
            q, k = _rotate(q), _rotate(k)
        scores = ops.einsum("bihk,bjhk->bhij", q, k) / math.sqrt(q.shape[-1])
        distances = np.subtract.outer(np.arange(x.shape[1]), np.arange(x.shape[1]))
        scores += np.where(distances >= 0, 0.0, -1e9).astype(np.float32)
        distances = np.maximum(distances, 0)
        if s.positions == "alibi":
            slopes = 2.0 ** (-8 * np.arange(1, q.shape[2] + 1) / q.shape[2])
            scores -= (slopes[:, None, None] * distances).astype(np.float32)
        # Times 0, not left out, because every variable needs a gradient.
        is_relative = 1.0 if s.positions == "relative" else 0.0
        scores += is_relative * ops.take(block.distance_bias, distances, axis=1)
        mixed = ops.einsum("bhij,bjhk->bihk", ops.softmax(scores), v)
        return attention._output_dense(mixed), first_value

    def _feed_forward(self, block, index, x):
        expand = block._feedforward_intermediate_dense
        inner = x @ expand.kernel + expand.bias
        if self.settings.activation == "relu2":
            inner = ops.square(ops.relu(inner))
        elif self.settings.activation == "swiglu":
            inner = ops.silu(inner) * (x @ self.gates[index])
        else:
            inner = keras.activations.gelu(inner, approximate=True)
        return block._feedforward_output_dense(inner)


def _rms_norm(x):
    return x * ops.rsqrt(ops.mean(ops.square(x), -1, keepdims=True) + 1e-6)


def _rotate(x):
    """Turn (B, T, H, K) by its position."""
    half = x.shape[-1] // 2
    angles = np.outer(np.arange(x.shape[1]), 1000.0 ** (-np.arange(half) / half))
    cos, sin = (f(angles).astype(np.float32)[:, None] for f in (np.cos, np.sin))
    left, right = x[..., :half], x[..., half:]
    return ops.concatenate([left * cos - right * sin, left * sin + right * cos], -1)


def builders(settings: Settings, batch_size: int):
    """Return what `Step` makes its model and its optimizer with."""
    plain = all(getattr(settings, name) == getattr(Settings, name) for name in OF_THE_MODEL)

    def build_model(config, vocab_size, seed, dtype):
        model = TransformerModel(config, vocab_size) if plain else None
        model = model or VariantModel(config, vocab_size, settings)
        model.build((None, config.context_length))
        model.initialize(seed)
        return model

    def build_optimizer(config, model, variables):
        optimizers.orthogonalize = orthogonalization(settings.polynomials)
        optimizer = Muon(
            learning_rate=Schedule(settings, config.max_steps),
            adam_lr_ratio=settings.adam_ratio,
            adam_beta_2=settings.beta_2,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            adam_weight_decay=settings.weight_decay,
        )
        optimizer.settings = settings
        optimizer.exclude_from_weight_decay(
            var_list=[v for v in variables if v.path.endswith(("bias", "gamma", "beta"))]
        )
        optimizer.build(variables)
        # The schedule is the variant's own.
        optimizer.apply_at = lambda rate, gradients: optimizer.apply(gradients)
        return optimizer

    return build_model, build_optimizer

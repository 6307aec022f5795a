"""What `recipe.py --model lstm` trains: textgen's LSTM, changed in one place or another."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from general_scan import general_scan
from variants import Schedule

from textgen.models.lstm.fusion import OUTPUT_GAIN
from textgen.models.lstm.model import LSTMModel
from textgen.training import optimizers


@dataclasses.dataclass(frozen=True)
class Settings:
    """What variants change; the defaults are what textgen does."""

    # The optimizer.
    learning_rate: float = 8e-3
    optimizer: str = "adamw"  # or "muon"
    square: bool = False  # Muon takes the four gates' kernels one by one
    adam_output: bool = False  # AdamW keeps the output's kernel from Muon
    adam_rate: float = 4e-3  # of what Muon leaves to AdamW
    beta_2: float = 0.99
    weight_decay: float = 0.1
    clip_norm: float = 1.0
    # The schedule.
    schedule: str = "cosine"
    final: float = 0.1
    warmup: float = 0.05  # of the steps, but 100 at most
    mean: float = 0.0  # the share of the steps, at the end, whose weights are averaged
    # What the first half of the tokens is read in; 0: batches and windows of the usual size.
    first_batch: int = 0
    first_context: int = 0
    # Windows that follow each other, each from the state that the last one left.
    carry: bool = False
    # The model.
    tie: bool = False
    residual: bool = False
    norm: str = ""  # of each layer's output: "layer" or "rms"
    gain: float = OUTPUT_GAIN  # what each layer's output is multiplied with
    zoneout: float = 0.0
    recurrent_dropout: float = 0.0
    weight_drop: float = 0.0  # of the recurrent kernels
    variational: bool = False  # dropout is the same at all times
    embedding_std: float = 0.1
    embedding_gain: float = 1.0
    forget_bias: float = 1.0
    chrono: bool = False


VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "before": {"gain": 1.0, "learning_rate": 4e-3},
    "no-gain": {"gain": 1.0},
    "muon": {"optimizer": "muon", "learning_rate": 2e-2},
    "square": {"square": True},
    "adam-output": {"adam_output": True},
    "linear": {"schedule": "linear", "final": 0.0},
    "no-warmup": {"warmup": 0.0},
    "small-batches-first": {"first_batch": 8},
    "short-windows-first": {"first_batch": 32, "first_context": 32},
    "carry": {"carry": True},
    "tie": {"tie": True},  # Press and Wolf 2017, https://arxiv.org/abs/1608.05859
    "residual": {"residual": True},
    "norm": {"norm": "layer"},  # Ba et al. 2016, https://arxiv.org/abs/1607.06450
    "rms-norm": {"norm": "rms"},  # Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467
    "zoneout": {"zoneout": 0.1},  # Krueger et al. 2017, https://arxiv.org/abs/1606.01305
    # Gal and Ghahramani 2016, https://arxiv.org/abs/1512.05287
    "recurrent-dropout": {"recurrent_dropout": 0.1},
    "weight-drop": {"weight_drop": 0.3},  # Merity et al. 2018, https://arxiv.org/abs/1708.02182
    "variational": {"variational": True},
    "chrono": {"chrono": True},  # Tallec and Ollivier 2018, https://arxiv.org/abs/1804.11188
}


_VECTORS = ("bias", "gamma", "beta", "scale")


class Muon(optimizers.Muon):
    """textgen's, with the kernels of gates together or one by one."""

    settings: Settings

    def is_matrix(self, variable):
        keeps = self.settings.adam_output and "output" in variable.path
        return not keeps and super().is_matrix(variable)

    def zeropower_via_newtonschulz5(self, x, steps):
        rows = x.shape[-2]
        if not self.settings.square or x.shape[-1] != 4 * rows:
            return super().zeropower_via_newtonschulz5(x, steps)
        gates = tf.reshape(tf.stack(tf.split(x, 4, axis=-1), axis=-3), (-1, rows, rows))
        gates = super().zeropower_via_newtonschulz5(gates, steps)
        gates = tf.reshape(gates, (-1, 4, rows, rows))
        return tf.reshape(tf.concat(tf.unstack(gates, axis=1), -1), x.shape)


class VariantModel(LSTMModel):
    """textgen's variables, and what a variant needs besides, in a forward pass of its own."""

    def __init__(self, config, vocab_size, settings: Settings, batch_size: int) -> None:
        super().__init__(config, vocab_size)
        self.settings = settings
        layers, s = range(config.num_layers), settings
        if s.norm:
            norm = {"layer": keras.layers.LayerNormalization, "rms": keras.layers.RMSNormalization}
            self.norms = [norm[s.norm](name=f"norm_{i}") for i in layers]
        if s.variational:
            self.same_dropouts = [
                keras.layers.Dropout(config.dropout, noise_shape=(1, None, None)) for _ in layers
            ]
        if s.recurrent_dropout:
            self.recurrent_dropouts = [keras.layers.Dropout(s.recurrent_dropout) for _ in layers]
        if s.weight_drop:
            self.weight_drops = [keras.layers.Dropout(s.weight_drop) for _ in layers]
        if s.zoneout:
            self.zoneouts = [keras.layers.Dropout(s.zoneout) for _ in range(2 * len(layers))]
        if s.carry:
            shape = (len(layers), 2, batch_size, config.hidden_dim)
            self.carried = tf.Variable(tf.zeros(shape), trainable=False)

    def build(self, input_shape):
        super().build(input_shape)
        if self.settings.norm:
            for norm in self.norms:
                norm.build((*input_shape, self.config.hidden_dim))

    def initial_value(self, path, shape, generator):
        s, width = self.settings, shape[0] // 4
        value = super().initial_value(path, shape, generator)
        if path.endswith(("gamma", "scale")):
            return np.ones(shape, np.float32)
        if path.endswith("beta"):
            return np.zeros(shape, np.float32)
        if "embedding" in path:
            return value * (s.embedding_std / 0.1)
        if "lstm_cell" in path and path.endswith("bias"):
            value[width : 2 * width] = s.forget_bias
            if s.chrono:
                spans = generator.uniform(1, self.config.context_length - 1, width)
                value[width : 2 * width], value[:width] = np.log(spans), -np.log(spans)
        return value

    def call(self, token_ids, training=False):
        """Predict from empty states, or in training from those that the last batch left."""
        carries = self.settings.carry and training
        logits, states = self.read(token_ids, self.carried if carries else None, training)
        if carries:
            self.carried.assign(states)
        return logits

    def read(self, token_ids, states=None, training=False):
        """Return logits [B, T, V] and the states [layers, 2, B, D] after the last tokens."""
        s, token_ids, x, new_states = self.settings, tf.transpose(token_ids), None, []
        batch_size, width = token_ids.shape[1], self.config.hidden_dim
        for index, (lstm, dropout) in enumerate(self.layers_and_dropouts):
            kernel, recurrent_kernel = (
                tf.convert_to_tensor(v) for v in (lstm.cell.kernel, lstm.cell.recurrent_kernel)
            )
            if s.weight_drop:
                recurrent_kernel = self.weight_drops[index](recurrent_kernel, training=training)
            below = x
            if x is None:
                projected = self._project_tokens(token_ids, kernel) * s.embedding_gain
                projected += lstm.cell.bias
            else:
                projected = tf.tensordot(x, kernel, 1) + lstm.cell.bias
            state = tf.zeros((2, batch_size, width)) if states is None else states[index]
            mask = zones = None
            if s.recurrent_dropout:
                mask = self.recurrent_dropouts[index](tf.ones_like(state[0]), training=training)
            if s.zoneout:
                zones = self._zones(index, tf.ones((*token_ids.shape, width)), training)
            x, cells = general_scan(projected, recurrent_kernel, state, mask, zones)
            new_states.append(tf.stack([x[-1], cells[-1]]))
            x *= s.gain
            if s.norm:
                x = self.norms[index](x)
            dropout = self.same_dropouts[index] if s.variational else dropout
            x = dropout(x, training=training)
            if s.residual and below is not None:
                x += below
        x = tf.transpose(x, (1, 0, 2))
        if s.tie:
            # Times 0, not left out, because every variable needs a gradient.
            nothing = 0.0 * tf.reduce_sum(self.output_dense.kernel)
            logits = tf.matmul(x, self.embedding.embeddings, transpose_b=True)
            return logits + self.output_dense.bias + nothing, tf.stack(new_states)
        return self.output_dense(x), tf.stack(new_states)

    def _zones(self, index, ones, training):
        """Return what share of the output and of the cell stays as it was: 0 or 1 in training."""
        pair = self.zoneouts[2 * index : 2 * index + 2]
        if not training:
            return [self.settings.zoneout * ones] * 2
        return [tf.cast(dropout(ones, training=True) == 0, tf.float32) for dropout in pair]


class Streams:
    """Batches whose rows go on where those of the last batch ended."""

    def __init__(self, tokens: np.ndarray, context_length: int, batch_size: int) -> None:
        length = (len(tokens) - 1) // batch_size // context_length * context_length
        self.windows = length // context_length
        offsets = np.arange(batch_size)[:, None] * length + np.arange(context_length + 1)
        self.tokens, self.offsets, self.context_length = tokens, offsets, context_length

    def batches(self, step: int, count: int) -> np.ndarray:
        """Return int32[count, B, T + 1]."""
        starts = np.arange(step, step + count) % self.windows * self.context_length
        return self.tokens[starts[:, None, None] + self.offsets].astype(np.int32)


def carried_loss(model: VariantModel, tokens: np.ndarray, context_length: int) -> float:
    """Return the mean loss of a text in nats a token; only 64 windows of it start empty."""
    streams = Streams(tokens, context_length, 64)

    @tf.function(jit_compile=True, autograph=False)
    def read(batch, states):
        logits, states = model.read(batch[:, :-1], states)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch[:, 1:], logits)
        return tf.reduce_mean(losses), states

    states = tf.zeros((model.config.num_layers, 2, 64, model.config.hidden_dim))
    losses = []
    for batch in streams.batches(0, streams.windows):
        loss, states = read(tf.constant(batch), states)
        losses.append(float(loss))
    return float(np.mean(losses))


def builders(settings: Settings, batch_size: int):
    """Return what `Step` makes its model and its optimizer with."""

    def build_model(config, vocab_size, seed, dtype):
        model = VariantModel(config, vocab_size, settings, batch_size)
        model.build((None, config.context_length))
        model.initialize(seed)
        return model

    def build_optimizer(config, model, variables):
        schedule = Schedule(settings, config.max_steps)
        if settings.optimizer == "muon":
            optimizer = Muon(
                learning_rate=schedule,
                adam_lr_ratio=settings.adam_rate / settings.learning_rate,
                adam_beta_2=settings.beta_2,
                weight_decay=settings.weight_decay,
                adam_weight_decay=settings.weight_decay,
                rms_rate=None,
            )
            optimizer.settings = settings
        else:
            optimizer = optimizers.AdamW(
                schedule, weight_decay=settings.weight_decay, beta_2=settings.beta_2
            )
        optimizer.exclude_from_weight_decay(
            var_list=[v for v in variables if v.path.endswith(_VECTORS)]
        )
        optimizer.build(variables)
        # The schedule is the variant's own.
        optimizer.apply_at = lambda rate, gradients: optimizer.apply(gradients)
        return optimizer

    return build_model, build_optimizer

"""What each choice of the recipe is worth: variants trained side by side on one text.

    python benchmarks/recipe.py corpus.txt --variants base,qk-norm,rotary --seeds 0,1

A variant differs from what textgen does (`base`) in the settings that `VARIANTS` names;
`a+b` has those of both. Every run has its own line of JSON on stdout, and a table ends them.
See README.md beside this file.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from textgen.config import ModelConfig, TrainingConfig
from textgen.dataset import TrainingWindows, ValidationWindows
from textgen.models.transformer import TransformerModel
from textgen.tokenizer import learn_tokenizer
from textgen.training import optimizers, step

VALIDATION_SPLIT = 0.1
STEPS_A_CALL = 10


@dataclasses.dataclass(frozen=True)
class Settings:
    """What variants change; the defaults are what textgen does, `None` keeps its own."""

    # The optimizer.
    learning_rate: float | None = None
    adam_ratio: float | None = None
    momentum: float | None = None
    beta_2: float | None = None
    weight_decay: float | None = None
    iterations: int | None = None  # of Newton-Schulz
    attention: str = "matrix"  # or "heads", each by itself, or "adam"
    scale: str = "none"  # of updates, or "jordan": of wide matrices by sqrt(columns / rows)
    # The schedule.
    schedule: str = "cosine"  # or "linear", "constant", or the share that decays linearly: "0.4"
    final: float = 0.1
    warmup: float | None = None  # share of the steps
    average: float = 0.0  # share of the steps that the mean of the weights looks back over
    # The model.
    activation: str = "gelu"  # or "relu2", "swiglu"
    positions: str = "relative"  # or "learned", "rotary", "alibi", "none"
    qk_norm: bool = False
    tied: bool = True
    soft_cap: float = 0.0
    value_residual: bool = False
    token_shift: bool = False
    residual_scale: float = 1.0  # of the initial projections back into the residual stream
    kernel_stddev: float = 0.02
    embedding_stddev: float = 0.02


VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "adam-attention": {"attention": "adam"},
    "heads": {"attention": "heads"},
    "jordan": {"scale": "jordan"},
    "linear-0": {"schedule": "linear", "final": 0.0},
    "wsd-40": {"schedule": "0.4", "final": 0.0},
    "average": {"average": 0.05},
    "constant-average": {"schedule": "constant", "average": 0.1},
    "relu2": {"activation": "relu2"},
    "swiglu": {"activation": "swiglu"},
    "learned": {"positions": "learned"},
    "rotary": {"positions": "rotary"},
    "alibi": {"positions": "alibi"},
    "no-positions": {"positions": "none"},
    "qk-norm": {"qk_norm": True},
    "untied": {"tied": False},
    "soft-cap": {"soft_cap": 15.0},
    "value-residual": {"value_residual": True},
    "token-shift": {"token_shift": True},
    "zero-residual": {"residual_scale": 0.0},
}


class Muon(optimizers.Muon):
    """textgen's, with other updates of the matrices."""

    settings: Settings

    def _should_use_adamw(self, variable):
        adam = self.settings.attention == "adam" and len(variable.shape) == 3
        return adam or super()._should_use_adamw(variable)

    def zeropower_via_newtonschulz5(self, x, steps):
        steps = self.settings.iterations or steps
        if self.settings.attention == "heads" and len(x.shape) == 3:
            into_heads = x.shape[0] == max(x.shape)  # [D, H, K], else [H, K, D]
            heads = ops.transpose(x, (1, 0, 2)) if into_heads else x
            heads = keras.optimizers.Muon.zeropower_via_newtonschulz5(self, heads, steps)
            return ops.transpose(heads, (1, 0, 2)) if into_heads else heads
        return super().zeropower_via_newtonschulz5(x, steps)

    def lr_adjust(self, x):
        is_wide = self.settings.scale == "jordan" and len(x.shape) == 2
        return x * (math.sqrt(max(1, x.shape[1] / x.shape[0])) if is_wide else 1.0)


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Warmup, a plateau for some schedules, and the way down."""

    def __init__(self, settings: Settings, peak: float, steps: int) -> None:
        self.settings, self.peak, self.steps = settings, peak, steps
        share = settings.warmup
        self.warmup = min(100, steps // 20) if share is None else share * steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        kind, final = self.settings.schedule, self.settings.final
        left = (self.steps - step) / (self.steps - self.warmup)
        if kind == "cosine":
            curve = (1 - ops.cos(np.pi * left)) / 2
        elif kind == "constant":
            curve = ops.ones_like(left)
        else:
            decaying = 1.0 if kind == "linear" else float(kind)
            curve = ops.minimum(1.0, left / decaying)
        warm = (step + 1) / (self.warmup + 1)
        return self.peak * ops.where(step < self.warmup, warm, final + (1 - final) * curve)


class VariantModel(TransformerModel):
    """textgen's variables, and what a variant needs besides, in a forward pass of its own."""

    def __init__(self, config, vocab_size, settings: Settings) -> None:
        super().__init__(config, vocab_size)
        self.settings = settings

    def build(self, input_shape):
        super().build(input_shape)
        width, s = self.config.hidden_dim, self.settings
        head_width = width // self.config.num_heads

        def add(name, shape):
            return self.add_weight(shape=shape, name=name, initializer="zeros")

        layers = range(self.config.num_layers)
        if s.activation == "swiglu":
            inner = self.config.intermediate_dim
            self.gates = [add(f"gate_{i}_kernel", (width, inner)) for i in layers]
        if s.qk_norm:
            self.gains = [add(f"qk_{i}_gamma", (head_width,)) for i in layers]
        if s.value_residual:
            self.value_mixes = [add(f"value_{i}_beta", (2,)) for i in layers]
        if s.token_shift:
            self.shift = add("shift_beta", (width,))
        if s.positions == "learned":
            self.places = add("place_embedding", (self.config.context_length, width))
        if not s.tied:
            self.head = add("head_kernel_embedding", (self.vocab_size, width))

    def initial_value(self, path, shape, generator):
        value = super().initial_value(path, shape, generator)
        s = self.settings
        if "attention_output" in path or "feedforward_output" in path:
            value *= s.residual_scale
        if path.endswith("kernel"):
            value *= s.kernel_stddev / 0.02
        return value * (s.embedding_stddev / 0.02 if "embedding" in path else 1)

    def call(self, token_ids, training=False):
        s = self.settings
        x = self.embedding(token_ids)
        if s.positions == "learned":
            x += self.places
        if s.token_shift:
            x += self.shift * ops.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        first_value = None
        for index, block in enumerate(self.blocks):
            normed = block._self_attention_layer_norm(x)
            mixed, first_value = self._attend(block, index, normed, first_value)
            x += mixed
            normed = block._feedforward_layer_norm(x)
            x += self._feed_forward(block, index, normed)
        x = self.norm(x)
        kernel = self.embedding.embeddings if s.tied else self.head
        logits = x @ ops.transpose(kernel)
        return s.soft_cap * ops.tanh(logits / s.soft_cap) if s.soft_cap else logits

    def _attend(self, block, index, x, first_value):
        s, attention = self.settings, block._self_attention_layer
        q, k = attention._query_dense(x), attention._key_dense(x)  # (B, T, H, K)
        v = attention._value_dense(x)
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
    """Rotary positions of (B, T, H, K); Su et al. 2021, https://arxiv.org/abs/2104.09864."""
    half = x.shape[-1] // 2
    angles = np.outer(np.arange(x.shape[1]), 1000.0 ** (-np.arange(half) / half))
    cos, sin = (f(angles).astype(np.float32)[:, None] for f in (np.cos, np.sin))
    left, right = x[..., :half], x[..., half:]
    return ops.concatenate([left * cos - right * sin, left * sin + right * cos], -1)


def main() -> None:
    args = _parse_args()
    threads = tf.config.threading
    threads.set_inter_op_parallelism_threads(1)
    threads.set_intra_op_parallelism_threads(args.threads)
    corpus = _read_tokens(args.corpus, args.vocab_size, args.min_count)
    results: dict[tuple[str, int], dict[str, Any]] = {}
    for seed in args.seeds:
        for name in args.variants:
            results[name, seed] = result = _train(args, _settings(name), seed, *corpus)
            line = {"corpus": args.corpus.name, "variant": name, "seed": seed, **result}
            print(json.dumps(line | {"steps": args.steps}), flush=True)
    _print_table(results, args.variants[0])


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path, help="text file in UTF-8")
    parser.add_argument("--variants", type=lambda text: text.split(","), default=["base"])
    parser.add_argument(
        "--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0]
    )
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--context", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--vocab-size", type=int, default=2048, help="0: characters")
    parser.add_argument("--min-count", type=int, default=1, help="of characters")
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def _settings(name: str) -> Settings:
    changes: dict[str, Any] = {}
    for part in name.split("+"):
        field, _, number = part.partition("=")
        kind = int if field == "iterations" else float
        changes |= {field: kind(number)} if number else VARIANTS[part]
    return Settings(**changes)


def _read_tokens(path: Path, vocab_size: int, min_count: int):
    """Return training and validation tokens, the vocabulary's size, and tokens a character."""
    text = path.read_text("utf-8")
    cut = len(text) - int(len(text) * VALIDATION_SPLIT)
    kind = "bpe" if vocab_size else "character"
    tokenizer = learn_tokenizer(lambda: [text[:cut]], kind, vocab_size or None, min_count)
    train, validation = tokenizer.encode(text[:cut]), tokenizer.encode(text[cut:])
    return train, validation, tokenizer.vocab_size, len(validation) / (len(text) - cut)


def _train(args, s: Settings, seed: int, train, validation, vocab_size: int, ratio: float):
    config = TrainingConfig(max_steps=args.steps, batch_size=args.batch, seed=seed)
    if s.weight_decay is not None:
        config = dataclasses.replace(config, weight_decay=s.weight_decay)
    inner = 8 * round(args.width / 3) if s.activation == "swiglu" else None
    shape = ModelConfig(
        "transformer", args.layers, args.heads, args.width, args.context, args.dropout, inner
    )
    step.build_model, step.build_optimizer = _builders(s)
    learner = step.Step(shape, config, vocab_size, tf.distribute.get_strategy())
    windows = TrainingWindows(train, args.context, args.batch, seed)
    held_out = ValidationWindows(validation, args.context, 64)

    def validate():
        total = sum(learner.summed_loss(*batch) for batch in held_out)
        return total / held_out.num_targets * ratio

    times, mean = [], None
    decay = math.exp(-STEPS_A_CALL / (s.average * args.steps)) if s.average else 0.0
    for first in range(0, args.steps, STEPS_A_CALL):
        started = time.perf_counter()
        learner.run(windows.batches(first, STEPS_A_CALL), first)
        times.append((time.perf_counter() - started) / STEPS_A_CALL)
        if s.average:
            now = learner.model.get_weights()
            mean = now if mean is None else mean
            mean = [decay * a + (1 - decay) * b for a, b in zip(mean, now, strict=True)]
    result = {"nats": validate()}
    if mean is not None:
        result["last_nats"] = result["nats"]
        learner.model.set_weights(mean)
        result["nats"] = validate()
    return result | {"bits": result["nats"] / math.log(2), "ms": 1000 * float(np.median(times))}


def _builders(s: Settings):
    """Return what `Step` makes its model and its optimizer with."""
    names = [field.name for field in dataclasses.fields(Settings)]
    of_model = names[names.index("activation") :]
    plain = all(getattr(s, name) == getattr(Settings(), name) for name in of_model)

    def make_model(config, vocab_size, seed, dtype):
        model = TransformerModel(config, vocab_size) if plain else None
        model = model or VariantModel(config, vocab_size, s)
        model.build((None, config.context_length))
        model.initialize(seed)
        return model

    def make_optimizer(config, architecture, variables):
        optimizer = Muon(
            learning_rate=Schedule(s, s.learning_rate or 2e-2, config.max_steps),
            adam_lr_ratio=s.adam_ratio or 0.2,
            adam_beta_2=s.beta_2 or 0.99,
            momentum=s.momentum or 0.95,
            weight_decay=config.weight_decay,
            adam_weight_decay=config.weight_decay,
        )
        optimizer.settings = s
        optimizer.exclude_from_weight_decay(
            var_list=[v for v in variables if v.path.endswith(("bias", "gamma", "beta"))]
        )
        optimizer.build(variables)
        return optimizer

    return make_model, make_optimizer


def _print_table(results, base: str) -> None:
    print(f"\n{'variant':32}{'seed':>5}{'nats/char':>11}{'bits':>8}{'to first':>10}{'ms':>8}")
    for (name, seed), result in results.items():
        change = result["nats"] - results[base, seed]["nats"]
        print(
            f"{name:32}{seed:5}{result['nats']:11.4f}{result['bits']:8.4f}{change:+10.4f}"
            f"{result['ms']:8.1f}"
        )


if __name__ == "__main__":
    main()

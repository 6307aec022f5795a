"""From the weights of the Keras model to those of the decoder, and back.

The cost of a token of a small model is the number of operations, not their size. `fuse` moves
into the weights what can be computed once:

- Every vector added to the residual stream is centered, so that layer normalization finds a mean
  of 0 and only has to scale (Ashkboos et al. 2024, https://arxiv.org/abs/2401.15024, section
  3.2).
- The scale and offset of a normalization go into the matrix after it.
- Queries come out divided by sqrt(K).
- The relative biases of attention scores are one table of all blocks, looked up once per token.
  The causal mask is its row for the distance -1.
- Sinusoidal embeddings and rotations are tables.

Letters in shapes: D hidden_dim, F feed-forward width, H heads, K = D / H, C context_length,
L blocks, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from textgen.models.transformer.config import TransformerConfig
from textgen.models.transformer.positions import embedding_scale, rotations, sinusoidal_embedding

# Added to the scores of tokens to the right, which get no attention.
MASK = -1e9


def fuse(
    weights: Mapping[str, np.ndarray], config: TransformerConfig
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the names and values of the weights that `TransformerDecoder` computes with.

    Args:
        weights: The weights of the Keras model: `token_embedding` [V, D], `norm/gamma` and
            `norm/beta` [D], `position_embedding` [C, D] if positions are learned, and of every
            `block_i/`: `distance_bias` [H, C] if they are relative; `attention_norm/` and
            `feedforward_norm/` with `gamma` and `beta` [D]; `query/`, `key/` and `value/` with a
            `kernel` [D, H, K] and a `bias` [H, K]; `output/` [H, K, D] and [D], `expand/` [D, F]
            and [F], `contract/` [F, D] and [D].
        config: The shape of the model.
    """
    width = config.hidden_dim

    def w(name):
        # Read one by one: a model may take much of the memory.
        return np.asarray(weights[name], np.float64)

    def dense(name):
        """Return a kernel [D, out] or [in, D], with all heads as one, and its bias."""
        kernel, bias = w(f"{name}/kernel"), w(f"{name}/bias")
        if kernel.ndim == 3:
            kernel = kernel.reshape(width, width)
        return kernel, bias.reshape(-1)

    def after_norm(norm, kernel, bias):
        """Fold norm(x) * gamma + beta, times the kernel, plus the bias."""
        gamma, beta = w(f"{norm}/gamma"), w(f"{norm}/beta")
        return gamma[:, None] * kernel, beta @ kernel + bias

    embedding = w("token_embedding")
    fused = {
        "token_embedding": _centered(embedding_scale(config) * embedding),
        **_fuse_positions(w, config),
    }
    fused["logits/kernel"], fused["logits/bias"] = after_norm("norm", embedding.T, 0)
    yield from _narrowed(fused)
    for index in range(config.num_layers):
        block = f"block_{index}"
        kernels, biases = map(list, zip(*(dense(f"{block}/{name}") for name in _QKV), strict=True))
        scale = _query_scale(config)
        kernels[0], biases[0] = kernels[0] * scale, biases[0] * scale
        fused = {}
        fused[f"{block}/qkv/kernel"], fused[f"{block}/qkv/bias"] = after_norm(
            f"{block}/attention_norm", np.concatenate(kernels, 1), np.concatenate(biases)
        )
        fused[f"{block}/expand/kernel"], fused[f"{block}/expand/bias"] = after_norm(
            f"{block}/feedforward_norm", *dense(f"{block}/expand")
        )
        for name in ("output", "contract"):
            kernel, bias = dense(f"{block}/{name}")
            fused[f"{block}/{name}/kernel"] = _centered(kernel)
            fused[f"{block}/{name}/bias"] = _centered(bias)
        yield from _narrowed(fused)


def unfuse(
    fused: Mapping[str, np.ndarray], config: TransformerConfig
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield weights of an equivalent Keras model: `fuse` turns them into `fused` again.

    The norms of the blocks scale by 1 and offset by 0, because their parameters are in the
    matrices after them. The last norm's are found again, because the matrix after it is the
    embedding.

    Args:
        fused: The weights of a `TransformerDecoder`.
        config: The shape of the model.
    """
    width, heads = config.hidden_dim, config.num_heads

    def f(name):
        return np.asarray(fused[name], np.float64)

    centered = f("token_embedding") / embedding_scale(config)
    embedding, gamma, beta = _untie(centered, f("logits/kernel"), f("logits/bias"))
    weights = {"token_embedding": embedding, "norm/gamma": gamma, "norm/beta": beta}
    if config.positions == "learned":
        weights["position_embedding"] = f("position_embedding")
    yield from _narrowed(weights)
    for index in range(config.num_layers):
        block = f"block_{index}"
        weights = {}
        if config.positions == "relative":
            weights[f"{block}/distance_bias"] = f("distance_bias")[1:, index].T
        for norm in ("attention_norm", "feedforward_norm"):
            weights[f"{block}/{norm}/gamma"] = np.ones(width)
            weights[f"{block}/{norm}/beta"] = np.zeros(width)
        kernels = np.split(f(f"{block}/qkv/kernel"), 3, axis=1)
        biases = np.split(f(f"{block}/qkv/bias"), 3)
        for name, kernel, bias in zip(_QKV, kernels, biases, strict=True):
            scale = _query_scale(config) if name == "query" else 1.0
            weights[f"{block}/{name}/kernel"] = kernel.reshape(width, heads, -1) / scale
            weights[f"{block}/{name}/bias"] = bias.reshape(heads, -1) / scale
        for name in ("output", "expand", "contract"):
            for part in ("kernel", "bias"):
                weights[f"{block}/{name}/{part}"] = f(f"{block}/{name}/{part}")
        yield from _narrowed(weights)


_QKV = ("query", "key", "value")


def _narrowed(weights):
    """Yield names and values in float32."""
    for name, value in weights.items():
        yield name, value.astype(np.float32)


def _fuse_positions(w, config):
    """Return the tables of positions that the decoder looks up."""
    if config.positions == "relative":
        biases = [w(f"block_{index}/distance_bias").T for index in range(config.num_layers)]
        # [C, L, H], after the row of the distance -1.
        row_first = ((1, 0), (0, 0), (0, 0))
        return {"distance_bias": np.pad(np.stack(biases, 1), row_first, constant_values=MASK)}
    if config.positions == "rotary":
        cosines, sines = rotations(config)
        return {"rotation/cosines": cosines, "rotation/sines": sines}
    is_learned = config.positions == "learned"
    table = w("position_embedding") if is_learned else sinusoidal_embedding(config)
    return {"position_embedding": _centered(table)}


def _query_scale(config):
    """Return 1 / sqrt(K)."""
    return np.sqrt(config.num_heads / config.hidden_dim)


def _centered(vectors):
    return vectors - vectors.mean(-1, keepdims=True)


def _untie(centered, kernel, bias):
    """Return the embedding [V, D], and the gamma and beta [D] of the norm before the logits.

    The decoder holds the centered embedding, `centered` = E - mean(E), the scaled one,
    `kernel` = gamma * E^T, and `bias` = E beta. With r = 1 / gamma, E^T = r * kernel, so that

        r * kernel - mean(r * kernel) = centered^T,

    which is linear in r: least squares over all tokens, with a D x D matrix.
    """
    width = len(kernel)
    centering = np.eye(width) - 1 / width
    r = np.linalg.lstsq(centering * (kernel @ kernel.T), (kernel * centered.T).sum(1), rcond=None)[
        0
    ]
    embedding = (r[:, None] * kernel).T
    # Any vector with this product will do; the shortest is closest to the initial zeros.
    beta = np.linalg.lstsq(embedding, bias, rcond=None)[0]
    return embedding, 1 / r, beta

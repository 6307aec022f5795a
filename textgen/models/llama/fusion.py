"""From the weights of the Keras model to those of the decoder, and back.

- Queries, keys and values come out of one matrix, and so do the gate and what it scales.
- The scale of a block's normalization goes into the matrix after it. That of the last one stays,
  because the matrix after it may be the embedding, which is held once.
- Kernels are transposed, [out, in], as the embedding is: a part of the columns lies together.
- Queries come out divided by sqrt(K), or their norm divides them. Queries and keys are normalized
  and rotated together.

Letters in shapes: D hidden_dim, F feed-forward width, H heads, G heads of keys and values,
K width of a head, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from textgen.models.llama.config import LlamaConfig

_QKV = ("query", "key", "value")


def fuse(
    weights: Mapping[str, np.ndarray], config: LlamaConfig
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the names and values of the weights that `LlamaDecoder` computes with.

    Args:
        weights: The weights of the Keras model: `token_embedding` [V, D], `norm/gamma` [D],
            `logits/kernel` [D, V] if it is not tied, and of every `block_i/`:
            `attention_norm/gamma` and `feedforward_norm/gamma` [D]; `query/kernel` [D, H, K],
            `key/kernel` and `value/kernel` [D, G, K]; with `query_bias`, a `bias` [H, K] or
            [G, K] of each; with `query_norm`, `query_norm/gamma` and `key_norm/gamma` [K];
            `output/kernel` [H, K, D]; `gate/kernel` and `expand/kernel` [D, F];
            `contract/kernel` [F, D]. Heads and their widths may be one dimension.
        config: The shape of the model.
    """
    yield from _narrowed(_transposed({name: weights[name] for name in _outside(config)}))
    for index in range(config.num_layers):
        block = f"block_{index}/"
        # One block at a time: a model may take much of the memory.
        own = _block(weights, block)
        yield from _narrowed(_transposed(_fuse_block(own, config)), block)


def unfuse(
    fused: Mapping[str, np.ndarray], config: LlamaConfig
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield weights of an equivalent Keras model: `fuse` turns them into `fused` again.

    The norms of the blocks scale by 1, because their scales are in the matrices after them.

    Args:
        fused: The weights of a `LlamaDecoder`.
        config: The shape of the model.
    """
    yield from _narrowed(_transposed({name: fused[name] for name in _outside(config)}))
    for index in range(config.num_layers):
        block = f"block_{index}/"
        own = _transposed(_block(fused, block))
        yield from _narrowed(_unfuse_block(own, config), block)


def _outside(config):
    """Return the names of the weights outside of blocks, which both models share."""
    return ("token_embedding", "norm/gamma", *(() if config.tie_embeddings else ("logits/kernel",)))


def _block(weights, block):
    """Return the weights of a block by their names in it, in float64."""
    names = (name for name in weights if name.startswith(block))
    return {name.removeprefix(block): np.asarray(weights[name], np.float64) for name in names}


def _narrowed(weights, block=""):
    """Yield the weights in float32, by their names in the model."""
    for name, value in weights.items():
        yield block + name, np.asarray(value, np.float32)


def _transposed(weights):
    """Return the weights with every kernel transposed."""
    return {n: value.T if n.endswith("kernel") else value for n, value in weights.items()}


def _fuse_block(w, config):
    width = config.hidden_dim
    scales = dict.fromkeys(_QKV, 1.0)
    fused = {}
    if config.query_norm:
        gammas = [w["query_norm/gamma"] * config.head_width**-0.5, w["key_norm/gamma"]]
        heads = (config.num_heads, config.key_value_heads)
        fused["query_key_norm/gamma"] = np.repeat(gammas, heads, axis=0)
    else:
        scales["query"] = config.head_width**-0.5
    if config.query_bias:
        biases = [scales[name] * w[f"{name}/bias"].reshape(-1) for name in _QKV]
        fused["qkv/bias"] = np.concatenate(biases)
    kernels = [scales[name] * w[f"{name}/kernel"].reshape(width, -1) for name in _QKV]
    halves = [w["gate/kernel"], w["expand/kernel"]]
    return {
        **fused,
        "qkv/kernel": w["attention_norm/gamma"][:, None] * np.concatenate(kernels, 1),
        "output/kernel": w["output/kernel"].reshape(-1, width),
        "gate_expand/kernel": w["feedforward_norm/gamma"][:, None] * np.concatenate(halves, 1),
        "contract/kernel": w["contract/kernel"],
    }


def _unfuse_block(f, config):
    width, heads = config.hidden_dim, (config.num_heads, *[config.key_value_heads] * 2)
    ends = np.cumsum(heads)[:-1] * config.head_width
    gate, expand = np.split(f["gate_expand/kernel"], 2, axis=1)
    weights = {
        "attention_norm/gamma": np.ones(width),
        "output/kernel": f["output/kernel"].reshape(heads[0], -1, width),
        "feedforward_norm/gamma": np.ones(width),
        "gate/kernel": gate,
        "expand/kernel": expand,
        "contract/kernel": f["contract/kernel"],
    }
    scales = dict.fromkeys(_QKV, 1.0)
    if config.query_norm:
        gammas = f["query_key_norm/gamma"]
        weights["query_norm/gamma"] = gammas[0] * config.head_width**0.5
        weights["key_norm/gamma"] = gammas[-1]
    else:
        scales["query"] = config.head_width**0.5
    kernels = np.split(f["qkv/kernel"], ends, axis=1)
    for name, count, kernel in zip(_QKV, heads, kernels, strict=True):
        weights[f"{name}/kernel"] = scales[name] * kernel.reshape(width, count, -1)
    if config.query_bias:
        biases = np.split(f["qkv/bias"], ends)
        for name, count, bias in zip(_QKV, heads, biases, strict=True):
            weights[f"{name}/bias"] = scales[name] * bias.reshape(count, -1)
    return weights

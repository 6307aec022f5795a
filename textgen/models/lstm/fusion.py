"""From the weights of the Keras model to those of the decoder, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from textgen.models.lstm.config import LSTMConfig

# An LSTM's outputs are small at first, so kernels on top of them would have to start small and
# learn slowly. Multiplied by this factor they need not grow;
# docs/explanation/laboratory.md has the measurements.
OUTPUT_GAIN = 5.0


def fuse(weights: Mapping[str, np.ndarray], config: LSTMConfig) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the names and values of the weights that `LSTMDecoder` computes with.

    Input and recurrent kernels are stacked, and the gain of a layer moves into the kernel after
    it.

    Args:
        weights: The weights of the Keras model: `embedding` [V, D]; of every `lstm_i/`: `kernel`
            and `recurrent_kernel` [D, 4 D] and `bias` [4 D]; `output/kernel` [D, V] and
            `output/bias` [V].
        config: The shape of the model.
    """
    fused = {
        "embedding": weights["embedding"],
        "output/kernel": OUTPUT_GAIN * weights["output/kernel"],
        "output/bias": weights["output/bias"],
    }
    for index in range(config.num_layers):
        layer = f"lstm_{index}"
        gain = OUTPUT_GAIN if index else 1
        kernels = (gain * weights[f"{layer}/kernel"], weights[f"{layer}/recurrent_kernel"])
        fused[f"{layer}/kernel"] = np.concatenate(kernels)
        fused[f"{layer}/bias"] = weights[f"{layer}/bias"]
    for name, value in fused.items():
        yield name, np.asarray(value, np.float32)


def unfuse(fused: Mapping[str, np.ndarray], config: LSTMConfig) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the names and values of the weights that `fuse` turned into `fused`.

    Args:
        fused: The weights of an `LSTMDecoder`.
        config: The shape of the model.
    """
    weights = {
        "embedding": fused["embedding"],
        "output/kernel": fused["output/kernel"] / OUTPUT_GAIN,
        "output/bias": fused["output/bias"],
    }
    for index in range(config.num_layers):
        layer = f"lstm_{index}"
        gain = OUTPUT_GAIN if index else 1
        kernel, recurrent_kernel = np.split(fused[f"{layer}/kernel"], 2)
        weights[f"{layer}/kernel"] = kernel / gain
        weights[f"{layer}/recurrent_kernel"] = recurrent_kernel
        weights[f"{layer}/bias"] = fused[f"{layer}/bias"]
    yield from weights.items()

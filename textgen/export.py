"""A trained model as a SavedModel: prompt strings in, text out, nothing else needed.

Tokenizer, decode loop and samplers are in the graph. It holds no XLA, cuDNN or Python
op, so that a stock TensorFlow Serving runs it on any machine. Every input and output
has the batch as its first dimension, which server-side batching asks for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tensorflow as tf

from textgen.catalog import CARD_PATH, TOKENIZER_PATH
from textgen.config import SamplingConfig
from textgen.generation import Generated, Generator
from textgen.sampling import SamplingControls
from textgen.tokenizer.base import Tokenizer

_RANDOM_SEED = -1
_DEFAULTS = SamplingConfig()


_INPUTS = [
    tf.TensorSpec([None], tf.string, "prompts"),
    tf.TensorSpec([None], tf.int32, "max_new_tokens"),
    tf.TensorSpec([None], tf.float32, "temperature"),
    tf.TensorSpec([None], tf.int32, "top_k"),
    tf.TensorSpec([None], tf.float32, "top_p"),
    tf.TensorSpec([None], tf.int64, "seed"),
    tf.TensorSpec([None, None], tf.string, "stop"),
]


class _Servable(tf.Module):
    """Holds the variables and the functions of the signatures for `tf.saved_model.save`."""

    def __init__(self, generator: Generator) -> None:
        super().__init__(name="textgen")
        self.generator = generator
        default = _default_inputs()

        # TensorFlow writes SignatureDef.defaults for default values that are eager
        # tensors, and only of functions that are no methods.
        @tf.function(input_signature=_INPUTS)
        def generate(
            prompts,
            max_new_tokens=default["max_new_tokens"],
            temperature=default["temperature"],
            top_k=default["top_k"],
            top_p=default["top_p"],
            seed=default["seed"],
            stop=default["stop"],
        ):
            batch_size = tf.shape(prompts)[0]

            def rows(values):
                return tf.broadcast_to(values, [batch_size])

            fresh = tf.random.uniform([batch_size], maxval=tf.int64.max, dtype=tf.int64)
            controls = SamplingControls(
                temperature=rows(temperature),
                top_k=rows(top_k),
                top_p=rows(top_p),
                seed=tf.where(seed < 0, fresh, rows(seed)),
            )
            stop = tf.broadcast_to(stop, [batch_size, tf.shape(stop)[1]])
            limits = rows(max_new_tokens)
            return _outputs(generator.generate(prompts, limits, controls, stop))

        @tf.function(input_signature=_INPUTS[:1])
        def serving_default(prompts):
            return generate(prompts, **_default_inputs())

        self.generate = generate
        self.serving_default = serving_default


def _default_inputs() -> dict[str, tf.Tensor]:
    """The value of every input but the prompts where a caller leaves it out.

    One row each, which stands for all rows of the batch.
    """
    return {
        "max_new_tokens": tf.constant([_DEFAULTS.max_new_tokens], tf.int32),
        "temperature": tf.constant([_DEFAULTS.temperature], tf.float32),
        "top_k": tf.constant([_DEFAULTS.top_k], tf.int32),
        "top_p": tf.constant([_DEFAULTS.top_p], tf.float32),
        "seed": tf.constant([_RANDOM_SEED], tf.int64),
        "stop": tf.zeros([1, 0], tf.string),
    }


def _outputs(generated: Generated) -> dict[str, tf.Tensor]:
    return {
        # A stop string may cut a text anywhere, and JSON takes valid UTF-8 only.
        "text": tf.strings.unicode_transcode(
            generated.text_bytes, "UTF-8", "UTF-8", errors="replace"
        ),
        "text_bytes": generated.text_bytes,
        "token_ids": generated.token_ids,
        "num_tokens": generated.num_tokens,
        "finish_reason": generated.finish_reason,
    }


def write_saved_model(
    folder: Path, generator: Generator, tokenizer: Tokenizer, card: dict[str, Any]
) -> None:
    """Write a SavedModel with its model card and tokenizer file.

    Signatures:

    - `serving_default(prompts)`: all controls at their defaults.
    - `generate(prompts, max_new_tokens, temperature, top_k, top_p, seed, stop)`: one
      value a row, or one row for all. A negative seed takes a fresh one. `stop` is
      string[B, S]. Callers that go by SignatureDef.defaults may leave out any but the
      prompts.

    Both return `text` string[B], `text_bytes` string[B], `token_ids` int32[B, N] (-1
    behind a row's end), `num_tokens` int32[B] and `finish_reason` string[B].

    Args:
        folder: an existing folder, written into.
        generator: decoder and tokenizer to export.
        tokenizer: the host's half, for warnings about unseen characters.
        card: what people and programs should know about the model; JSON values.

    Raises:
        OSError: the folder cannot be written.
    """
    servable = _Servable(generator)
    try:
        tf.saved_model.save(
            servable,
            str(folder),
            signatures={
                "serving_default": servable.serving_default,
                "generate": servable.generate,
            },
        )
    except tf.errors.OpError as error:
        # TensorFlow's file errors are not OSErrors; callers know only those.
        raise OSError(f"Cannot write {folder}: {error.message}") from error
    # TensorFlow Serving ignores files of assets.extra that it does not know.
    tokenizer.save(folder / TOKENIZER_PATH)
    text = json.dumps(card, ensure_ascii=False, indent=2) + "\n"
    (folder / CARD_PATH).write_text(text, encoding="utf-8")

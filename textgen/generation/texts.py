"""Texts: what callers get for the tokens that were written."""

from __future__ import annotations

import tensorflow as tf

from textgen.generation.records import FINISH_REASONS
from textgen.tokenizer.graph import GraphTokenizer


def make_texts(
    tokenizer: GraphTokenizer, token_ids: tf.Tensor, overhang: tf.Tensor, finish: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Return what all records of texts have in common, by the names of `Written`'s fields.

    Args:
        tokenizer: of the tokens.
        token_ids: int32[B, N], -1 behind a row's end.
        overhang: int32[B], bytes of the last token behind the stop string, which are cut; 0
            where there are none.
        finish: int32[B], index into FINISH_REASONS.
    """
    num_tokens = tf.reduce_sum(tf.cast(token_ids >= 0, tf.int32), 1)
    text_bytes = tokenizer.decode(token_ids, num_tokens)
    kept = tf.strings.length(text_bytes) - overhang
    return {
        "text_bytes": tf.strings.substr(text_bytes, tf.zeros_like(kept), kept),
        "token_ids": token_ids,
        "num_tokens": num_tokens,
        "finish_reason": tf.gather(tf.constant(FINISH_REASONS), finish),
    }

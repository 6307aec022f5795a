"""Words that are tokens although merging their bytes makes others, as TensorFlow ops."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

# So many that no two words share one, and a comparison of the words decides anyway.
_NUM_HASHES = 2**63 - 1


class WholeWords:
    """Finds words that are never merged of parts.

    Args:
        ids: The token of each word, by the bytes of the word.
    """

    def __init__(self, ids: Mapping[bytes, int]) -> None:
        self._words, self._ids = list(ids), np.array(list(ids.values()), np.int32)

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """Return the token of each text, int32[W], or -1.

        Args:
            texts: string[W].
        """
        known = tf.constant(self._words, tf.string)
        hashes = tf.strings.to_hash_bucket_fast(known, _NUM_HASHES)
        order = tf.argsort(hashes)
        wanted = tf.strings.to_hash_bucket_fast(texts, _NUM_HASHES)
        index = tf.searchsorted(tf.gather(hashes, order), wanted)
        entry = tf.gather(order, tf.minimum(index, len(self._words) - 1))
        found = tf.equal(tf.gather(known, entry), texts)
        return tf.where(found, tf.gather(self._ids, entry), -1)

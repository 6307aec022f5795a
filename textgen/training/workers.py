"""What the workers of a run tell each other, besides gradients."""

from __future__ import annotations

import hashlib

import tensorflow as tf


class Workers:
    """The processes that train together; of a run on one machine, this one alone.

    All must ask the same questions in the same order, or they wait for each other without end.

    Args:
        strategy: from `textgen.training.distribution.build_strategy`.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy

    def mean(self, *values: float) -> list[float]:
        """Return the mean of each value over all workers."""
        if self._strategy.cluster_resolver is None:
            return list(values)
        own = self._strategy.run(lambda: tf.constant(values, tf.float64))
        total = self._strategy.reduce(tf.distribute.ReduceOp.SUM, own, axis=None)
        return (total.numpy() / self._strategy.num_replicas_in_sync).tolist()

    def have_same(self, text: str) -> bool:
        """Return whether all workers gave the same text.

        Compared are 40 bits of its digest: few enough that float64 holds their sum exactly, and
        enough that the mean of others is never one's own by chance.
        """
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:5], "big")
        return self.mean(number) == [number]

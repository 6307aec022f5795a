"""What the workers of a run exchange in addition to gradients."""

from __future__ import annotations

import hashlib

import tensorflow as tf


class Workers:
    """The processes that train together. On one machine, there is only this one.

    All workers must make the same calls in the same order, or they wait for each other forever.

    Args:
        strategy: From `textgen.training.distribution.build_strategy`.
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
        """Return whether all workers passed the same text.

        Workers compare 40 bits of its digest: few enough that float64 holds their sum exactly,
        and enough that other workers' mean never equals one's own value by chance.
        """
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:5], "big")
        return self.mean(number) == [number]

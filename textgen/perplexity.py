"""Perplexity: among how many equally likely tokens a model would be as uncertain."""

from __future__ import annotations

import math
import sys


def perplexity(nats: float) -> float:
    """Return exp(nats).

    Args:
        nats: mean negative logarithm of a token's probability.

    Returns:
        The perplexity; the largest float where it is larger, because JSON knows no infinity.
    """
    largest = sys.float_info.max
    return math.exp(nats) if nats <= math.log(largest) else largest

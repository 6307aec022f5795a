"""Figures of quality, computed from a loss in nats: perplexity and bits."""

from __future__ import annotations

import math
import sys

# All code points except the surrogates, which are not characters.
NUM_CODE_POINTS = 0x110000 - 0x800


def perplexity(nats: float) -> float:
    """Return exp(nats): the number of equally likely tokens that would be as uncertain.

    Args:
        nats: Mean negative log-probability per token.

    Returns:
        The perplexity, or the largest float if it is larger, because JSON has no infinity.

    Example:
        >>> perplexity(0.0)
        1.0
    """
    largest = sys.float_info.max
    return math.exp(nats) if nats <= math.log(largest) else largest


def bits(nats: float) -> float:
    """Return `nats` in bits.

    Example:
        >>> bits(math.log(8))
        3.0
    """
    return nats / math.log(2)


def unknown_nats(num_known: int) -> float:
    """Return the nats that it costs to name a character that the model does not know.

    All others are equally likely, so this is ln(1,112,064 - num_known), about 20 bits. With it, the
    probabilities of all texts sum to 1, models with different vocabularies compare, and no figure
    gets better because rare characters were dropped.

    Args:
        num_known: Number of characters that the model knows.

    Example:
        >>> round(bits(unknown_nats(64)), 2)
        20.08
    """
    return math.log(max(NUM_CODE_POINTS - num_known, 1))

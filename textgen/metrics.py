"""Figures of quality, computed from a loss in nats: perplexity and bits."""

from __future__ import annotations

import math
import sys


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


def bits_per_character(nats_per_token: float, tokens_per_character: float) -> float:
    """Return a loss in bits per character, which compares models with different tokenizers.

    Args:
        nats_per_token: Mean loss per token.
        tokens_per_character: Tokens of the text, divided by its characters.
    """
    return bits(nats_per_token) * tokens_per_character

"""Short texts in batches, because handling each on its own would be mostly overhead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# Approximate: a batch ends with the text that reaches it.
CHARACTERS_PER_BATCH = 2**20


def batches(items: Iterable[T], length: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield items in order, in non-empty lists of about `CHARACTERS_PER_BATCH`.

    Args:
        items: Texts, or objects that hold one.
        length: Returns the number of characters in an item.

    Example:
        >>> [len(batch) for batch in batches(["a" * 2**19] * 5, len)]
        [2, 2, 1]
    """
    batch: list[T] = []
    num_characters = 0
    for item in items:
        batch.append(item)
        num_characters += length(item)
        if num_characters >= CHARACTERS_PER_BATCH:
            yield batch
            batch, num_characters = [], 0
    if batch:
        yield batch

"""Short texts dealt with together, because most of dealing with one would be overhead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# About: a batch ends with the text that reaches it.
CHARACTERS_A_BATCH = 2**20


def batches(items: Iterable[T], length: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield items in order, in non-empty lists of about `CHARACTERS_A_BATCH`.

    Args:
        items: texts, or what holds one.
        length: of an item, in characters.
    """
    batch: list[T] = []
    num_characters = 0
    for item in items:
        batch.append(item)
        num_characters += length(item)
        if num_characters >= CHARACTERS_A_BATCH:
            yield batch
            batch, num_characters = [], 0
    if batch:
        yield batch

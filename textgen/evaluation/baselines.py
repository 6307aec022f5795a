"""Simple models and compressors, measured on the same characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textgen.evaluation.bootstrap import Figure
from textgen.evaluation.characters import Alphabet
from textgen.evaluation.compression import compressed_bits
from textgen.evaluation.kneser_ney import KneserNey
from textgen.evaluation.units import Units
from textgen.metrics import bits


@dataclass(frozen=True)
class Baseline:
    """What a simple model or a compressor needs for the same text.

    Attributes:
        name: Such as `"Kneser-Ney 5"`.
        bits_per_character: Without an interval for a compressor, whose cost has no parts.
        unit_nats: float64[U], the cost of each document or block; `None` for a compressor.
    """

    name: str
    bits_per_character: Figure
    unit_nats: np.ndarray | None = None


def measure_baselines(documents: Sequence[str], training: str, units: Units) -> list[Baseline]:
    """Return what simple models of the training part and compressors need, the worst first.

    Args:
        documents: The texts to measure on; none is empty.
        training: What the simple models learn from, and the compressors look back on.
        units: The documents or blocks that intervals are made from.
    """
    alphabet = Alphabet(training)
    kneser_ney = KneserNey(training, alphabet)
    # A line end stands for the end of a document, and costs nothing.
    joined = "\n" + "\n".join(documents)
    is_text = np.ones(len(joined), bool)
    lengths = np.array([len(text) + 1 for text in documents])
    is_text[np.concatenate([[0], np.cumsum(lengths)[:-1]])] = False
    found = []
    for name, nats in (
        ("uniform", alphabet.uniform_nats(joined)),
        ("unigram", alphabet.unigram_nats(joined)),
        ("Kneser-Ney 5", kneser_ney.nats(joined)),
    ):
        unit_nats = units.sum_characters(nats[is_text])
        figure = units.bootstrap.ratio(unit_nats, units.characters).map(bits)
        found.append(Baseline(name, figure, unit_nats))
    text = "\n".join(documents).encode()
    for name, size in compressed_bits(text, training.encode()).items():
        found.append(Baseline(name, Figure(size / units.num_characters)))
    return sorted(found, key=lambda each: -each.bits_per_character.value)

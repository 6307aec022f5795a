"""Which of two models is better, and how certain that is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textgen.evaluation.baselines import Baseline
from textgen.evaluation.bootstrap import Figure
from textgen.evaluation.measure import Measurement
from textgen.evaluation.units import Units
from textgen.metrics import bits


@dataclass(frozen=True)
class Comparison:
    """Which of two is better on the same characters.

    Attributes:
        better: The name of the better one.
        worse: The name of the other.
        difference: How many bits per character the better one saves.
    """

    better: str
    worse: str
    difference: Figure

    @property
    def is_certain(self) -> bool:
        """Whether the interval excludes zero."""
        return self.difference.low is not None and self.difference.low > 0

    @property
    def verdict(self) -> str:
        """The comparison in one sentence."""
        figure = self.difference
        if figure.low is None or figure.high is None:
            return (
                f"{self.better} needs {figure.value:.3f} bits per character less than "
                f"{self.worse}; the text is too short to say how certain that is."
            )
        interval = f"95 %: {figure.low:.3f} to {figure.high:.3f}"
        if self.is_certain:
            return (
                f"{self.better} is better than {self.worse} by {figure.value:.3f} bits per "
                f"character ({interval})."
            )
        return (
            f"{self.better} and {self.worse} are as good as each other on this text: the "
            f"difference is {figure.value:.3f} bits per character ({interval})."
        )


def compare(
    models: Sequence[Measurement], baselines: Sequence[Baseline], units: Units
) -> list[Comparison]:
    """Compare all pairs of models; a single model with the best simple one.

    Args:
        models: Models that were measured on the same characters.
        baselines: The worst first.
        units: The documents or blocks of the text.
    """
    costs = [(model.name, model.unit_nats) for model in models]
    if len(models) == 1:
        simple = [(b.name, b.unit_nats) for b in baselines if b.unit_nats is not None]
        costs += simple[-1:]
    elif len({name for name, _ in costs}) < len(costs):
        costs = [(f"{m.name}, version {m.version},", m.unit_nats) for m in models]
    return [_comparison(*pair, units) for pair in itertools.combinations(costs, 2)]


def _comparison(
    one: tuple[str, np.ndarray], other: tuple[str, np.ndarray], units: Units
) -> Comparison:
    (better, low), (worse, high) = sorted((one, other), key=lambda each: each[1].sum())
    return Comparison(better, worse, units.bootstrap.ratio(high - low, units.characters).map(bits))

"""Charts as SVG, which a page can hold and any browser shows without a network.

Colors are replaced by variables of the page's style sheet, so that a chart is readable on a light
and on a dark page.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from textwrap import shorten
from typing import Any

import numpy as np

# Colors that no chart has by itself, and the variables they stand for.
_INK, _GRID, _FIRST, _SECOND = "#010203", "#040506", "#070809", "#0a0b0c"
_VARIABLES = {_INK: "ink", _GRID: "line", _FIRST: "first", _SECOND: "second"}
_FONT = "font"
_MAX_NAME, _MAX_LABEL = 24, 8
# Cells of a few shades are far fewer bytes than each with its own.
_SHADES = 8


def curve_chart(history: Sequence[Mapping[str, Any]]) -> str:
    """Draw training and validation loss by step.

    Args:
        history: Records with `step`, `loss` and `validation_loss`; not empty.
    """

    def draw(axes: Any) -> None:
        steps = [record["step"] for record in history]
        marker = "o" if len(steps) < 40 else ""
        for key, color, label in (
            ("loss", _FIRST, "training"),
            ("validation_loss", _SECOND, "validation"),
        ):
            values = [record[key] for record in history]
            axes.plot(steps, values, color=color, label=label, marker=marker, markersize=3)
        axes.set_xlabel("step")
        axes.set_ylabel("nats per token")
        axes.legend(frameon=False, labelcolor=_INK)

    return _draw(draw, (5.4, 3.0), "Loss in training and validation by step")


def bar_chart(bars: Sequence[tuple[str, float]], marked: str) -> str:
    """Draw bits per character as bars, the shortest below.

    Args:
        bars: Names and bits.
        marked: The name of the bar to mark.
    """

    def draw(axes: Any) -> None:
        ordered = sorted(bars, key=lambda bar: bar[1])
        colors = [_SECOND if name == marked else _GRID for name, _ in ordered]
        names = [shorten(name, _MAX_NAME, placeholder="…") for name, _ in ordered]
        drawn = axes.barh(names, [bits for _, bits in ordered], color=colors, height=0.62)
        axes.bar_label(drawn, fmt="%.2f", padding=4, color=_INK)
        axes.set_xlabel("bits per character: less is better")
        axes.margins(x=0.12)
        axes.grid(visible=False)

    return _draw(
        draw, (5.4, 0.34 * len(bars) + 0.8), "Bits per character of models and compressors"
    )


def map_chart(points: Sequence[tuple[str, float, float]]) -> str:
    """Draw tokens at their places.

    Args:
        points: The text of each token, and its place.
    """

    def draw(axes: Any) -> None:
        axes.scatter([x for _, x, _ in points], [y for _, _, y in points], s=0)
        for label, x, y in points:
            axes.text(x, y, label, color=_INK, ha="center", va="center", fontsize=7.5)
        axes.set_axis_off()
        axes.margins(0.04)

    return _draw(draw, (5.4, 4.6), "Tokens by the two main components of their embeddings")


def distance_chart(by_distance: np.ndarray, distances: Sequence[tuple[int, int]]) -> str:
    """Draw how much each head looks at tokens at some distances, a row per head.

    Args:
        by_distance: float[layers, heads, ranges].
        distances: The first and the last distance of each range.
    """
    layers, heads, ranges = by_distance.shape

    def draw(axes: Any) -> None:
        _shade(axes, by_distance.reshape(-1, ranges))
        names = [
            f"{first}" if first == last else f"{first}\N{EN DASH}{last}"
            for first, last in distances
        ]
        axes.set_xticks(range(ranges), names)
        axes.set_yticks([heads * i + (heads - 1) / 2 for i in range(layers)], range(1, layers + 1))
        for index in range(1, layers):
            axes.axhline(heads * index - 0.5, color=_GRID, linewidth=1)
        axes.set_xlabel("tokens back; 0 is the token itself")
        axes.set_ylabel("layer")

    height = min(0.8 + 0.13 * layers * heads, 6.0)
    return _draw(draw, (5.4, height), "Attention of each head by distance")


def attention_chart(tokens: Sequence[str], weights: np.ndarray) -> str:
    """Draw where one head looks.

    Args:
        tokens: The texts of N tokens.
        weights: float[N, N], for each token how much of its attention goes to each token.
    """

    def draw(axes: Any) -> None:
        _shade(axes, weights)
        short = [
            each if len(each) <= _MAX_LABEL else f"{each[: _MAX_LABEL - 1]}…" for each in tokens
        ]
        # A token of several characters is written from bottom to top.
        axes.set_xticks(range(len(tokens)), short, fontsize=9)
        if max(map(len, short)) > 1:
            axes.tick_params(axis="x", rotation=90)
        axes.set_yticks(range(len(tokens)), short, fontsize=9)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.set_aspect("equal")

    return _draw(draw, (5.4, 5.2), "Attention of one head from each token to those before it")


def label(piece: bytes) -> str:
    """Return the text of a token with marks for what cannot be seen.

    Example:
        >>> label(b" the")
        '\u2423the'
    """
    text = piece.decode("utf-8", "replace")
    marked = text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
    return "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in marked)


def _shade(axes: Any, matrix: np.ndarray) -> None:
    """Draw a matrix as squares, the first row on top; the darkest is its largest number."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    shades = np.rint(_SHADES * matrix / max(float(matrix.max()), 1e-9)).astype(int)
    for shade in range(1, _SHADES + 1):
        corners = [
            (column + x, row + y)
            for row, column in np.argwhere(shades == shade).tolist()
            for x, y in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5))
        ]
        if corners:
            square = [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY]
            path = Path(corners, square * (len(corners) // len(square)))
            style: Any = {"facecolor": _FIRST, "alpha": shade / _SHADES, "linewidth": 0}
            axes.add_patch(PathPatch(path, **style))
    axes.set_xlim(-0.5, matrix.shape[1] - 0.5)
    axes.set_ylim(matrix.shape[0] - 0.5, -0.5)
    axes.grid(visible=False)


def _draw(draw: Callable[[Any], None], size: tuple[float, float], title: str) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Text stays text, in the page's font; a fixed salt makes the same chart the same bytes.
    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "textgen",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.parse_math": False,
        "axes.edgecolor": _GRID,
        "axes.labelcolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": _GRID,
        "grid.linewidth": 0.5,
        "axes.unicode_minus": False,
    }
    with rc_context(style), warnings.catch_warnings():
        # The browser has fonts for characters that matplotlib's font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        draw(axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var(--{variable})")
    # The page decides the width; its font is there, whatever matplotlib measured with.
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"([^>]*?) width="[^"]*"', r"\1\2", svg, count=1)
    svg = re.sub(r"font: ([\d.]+px)[^;\"]*", rf"font: \1 var(--{_FONT})", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)

"""Renders a report as one HTML file without scripts and without a network."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from textgen.errors import ConfigError
from textgen.files import write_atomically
from textgen.report.charts import (
    attention_chart,
    bar_chart,
    curve_chart,
    distance_chart,
    map_chart,
)
from textgen.report.contents import Contents, collect

# Bits at which a token is as surprising as the colors can show.
_MOST_SURPRISING = 12.0


def write_report(
    name: str | None,
    path: str | os.PathLike[str],
    models_dir: str | os.PathLike[str] | None = None,
    *,
    prompt: str = "",
    on_progress: Callable[[str], None] = lambda what: None,
) -> Path:
    """Write a report about a model: one HTML file that holds everything it shows.

    Args:
        name: The model's name or path; `None` is the newest.
        path: The file to write.
        models_dir: The models folder.
        prompt: What the samples continue.
        on_progress: Called with what is done next.

    Returns:
        The file.

    Raises:
        ConfigError: If matplotlib is not installed.
        ModelNotFoundError: If there is no such model.
        OSError: If the file cannot be written.

    Example:
        >>> write_report("mine", "mine.html")
        PosixPath('mine.html')
    """
    if find_spec("matplotlib") is None:  # asked before anything slow
        raise ConfigError("A report needs matplotlib: pip install matplotlib")
    contents = collect(name, models_dir, prompt, on_progress)
    on_progress("drawing")
    file = Path(path)
    write_atomically(file, render(contents).encode("utf-8", "replace"))
    return file


def render(contents: Contents) -> str:
    """Return the HTML of a report.

    Args:
        contents: From `textgen.report.contents.collect`.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    source = files("textgen.report").joinpath("template.html").read_text("utf-8")
    evaluation, history = contents.evaluation, contents.history
    charts = dict.fromkeys(("curves", "baselines", "distances", "attention", "map"), "")
    if len(history) > 1:
        charts["curves"] = curve_chart(history)
    if evaluation is not None and evaluation.baselines:
        (model,) = evaluation.models
        bars = [(each.name, each.bits_per_character.value) for each in evaluation.baselines]
        bars.append((contents.name, model.figures["bits_per_character"].value))
        charts["baselines"] = bar_chart(bars, contents.name)
    if (attention := contents.attention) is not None:
        charts["distances"] = distance_chart(attention.by_distance, attention.distances)
        charts["attention"] = attention_chart(attention.tokens, attention.weights)
    if len(contents.embedding) > 2:
        charts["map"] = map_chart(contents.embedding)
    return environment.from_string(source).render(
        it=contents,
        card=contents.card,
        model=evaluation.models[0] if evaluation else None,
        charts=charts,
        heat=_heat,
        best=min(history, key=lambda record: record["validation_loss"]) if history else None,
    )


def _heat(bits: float) -> str:
    """Return how strongly a token is colored, in percent."""
    return f"{100 * min(max(bits, 0.0) / _MOST_SURPRISING, 1.0):.0f}"

"""A plan in two lines for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textgen.planning import Plan

# A model that took fewer steps knows little more than which tokens are frequent.
_MIN_STEPS = 300


def describe_plan(plan: Plan) -> str:
    """Return a plan in two lines: what will be done, and what to expect of it.

    A third one warns of a model that will copy.
    """
    model, training = plan.config.model, plan.config.training
    characters = plan.corpus.train_characters + plan.corpus.validation_characters
    bits = plan.bits_per_character
    expected = (
        f"expect about {bits:.1f} bits per character ({bits * math.log(2):.1f} nats), "
        "give or take a fifth."
    )
    if plan.config.from_model is not None:
        adapters = f", with adapters of rank {rank}" if (rank := training.adapter_rank) else ""
        expected = f"begins from {plan.config.from_model}{adapters}."
    elif not plan.corpus.validation_tokens:
        expected = "too few to keep a part for validation, so the model will memorize all of it."
    elif plan.steps < _MIN_STEPS:
        seconds = math.ceil(plan.seconds_for(_MIN_STEPS) / 10) * 10
        expected = (
            f"expect little of so few steps; {_MIN_STEPS} take about {_duration(seconds)} "
            f"(--time-budget {seconds}s)."
        )
    precision = "bfloat16, " if training.mixed_precision else ""
    warning = ""
    if plan.memorizes and plan.corpus.validation_tokens:
        warning = (
            f"\nWarning: after {plan.epochs:,.0f} epochs, a model copies from its corpus. Train "
            "for fewer epochs or on more text; textgen trace shows what it copies."
        )
    return (
        f"Plan: {model.architecture} {model.num_layers} x {model.hidden_dim}, "
        f"context {training.window(model.context_length)}, batch {training.batch_size}, "
        f"{precision}{plan.steps:,} steps of about {plan.step_seconds:.2g} s: "
        f"{_duration(plan.seconds)} on {plan.machine.description}.\n"
        f"Corpus: {_amount(characters)} characters, {_epochs(plan.epochs)} epochs; "
        f"{expected}{warning}"
    )


def _duration(seconds: float) -> str:
    """Return a duration in the unit that gives about two digits."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 99.5 * 60:
        return f"{seconds / 60:.2g} min"
    return f"{seconds / 3600:,.1f} h"


def _epochs(number: float) -> str:
    """Return a number of epochs to two digits, or whole."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _amount(number: int) -> str:
    """Return a large number to three digits."""
    for unit, name in ((10**9, "billion"), (10**6, "million"), (10**3, "thousand")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return str(number)

"""The model card: what a model is, what it learned from, how good it is."""

from __future__ import annotations

import math
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.perplexity import perplexity
from textgen.run import Run
from textgen.version import __version__

if TYPE_CHECKING:
    from textgen.training.loop import Outcome


def make_card(name: str, run: Run, outcome: Outcome) -> dict[str, Any]:
    """Return the card of the model that a run has made, as JSON can hold it.

    Args:
        name: of the model.
        run: that it is from.
        outcome: how the run ended.
    """
    from textgen.training.optimizers import choose_optimizer

    config = run.config
    return {
        "name": name,
        "model": config.model.to_dict(),
        "num_parameters": int(sum(np.prod(v.shape) for v in outcome.model.trainable_variables)),
        "tokenizer": {"kind": run.tokenizer.kind, "vocab_size": run.tokenizer.vocab_size},
        "corpus": {**run.corpus.to_dict(), "config": config.corpus.to_dict()},
        "training": {
            **config.training.to_dict(),
            "optimizer": choose_optimizer(config.training, config.model),
            "ended_by": outcome.ended_by,
        },
        "steps": outcome.step,
        "best_step": outcome.best_step,
        "validation_loss": outcome.validation_loss,
        "perplexity": perplexity(outcome.validation_loss),
        "bits_per_character": outcome.validation_loss / math.log(2) * run.tokens_per_character,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "textgen": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in ("tensorflow", "keras", "keras-nlp")},
        },
    }

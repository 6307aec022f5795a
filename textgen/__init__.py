"""textgen: train a text generator on your own corpus and serve it as a SavedModel.

    import textgen

    textgen.train(["corpus.txt"], name="mine")
    print(textgen.load("mine").generate("Once upon a time").text)

Names are loaded when they are first used, so that importing textgen costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from textgen.version import __version__

if TYPE_CHECKING:
    from textgen.catalog import Catalog, ModelEntry
    from textgen.config import (
        BeamSearchConfig,
        ContrastiveSearchConfig,
        CorpusConfig,
        ModelConfig,
        RunConfig,
        SamplingConfig,
        TrainingConfig,
    )
    from textgen.errors import TextgenError
    from textgen.inference import (
        Generation,
        Score,
        TextGenerator,
        TextStream,
        TokenLogprob,
        load,
    )
    from textgen.pipeline import Trained, plan, resume, train
    from textgen.planning import Plan, Planning
    from textgen.training.reporter import Progress, Reporter, Validation

_HOMES = {
    "BeamSearchConfig": "config",
    "Catalog": "catalog",
    "ContrastiveSearchConfig": "config",
    "CorpusConfig": "config",
    "Generation": "inference",
    "ModelConfig": "config",
    "ModelEntry": "catalog",
    "Plan": "planning",
    "Planning": "planning",
    "Progress": "training.reporter",
    "Reporter": "training.reporter",
    "RunConfig": "config",
    "SamplingConfig": "config",
    "Score": "inference",
    "TextGenerator": "inference",
    "TextStream": "inference",
    "TextgenError": "errors",
    "TokenLogprob": "inference",
    "Trained": "pipeline",
    "TrainingConfig": "config",
    "Validation": "training.reporter",
    "load": "inference",
    "plan": "pipeline",
    "resume": "pipeline",
    "train": "pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


__all__ = [
    "BeamSearchConfig",
    "Catalog",
    "ContrastiveSearchConfig",
    "CorpusConfig",
    "Generation",
    "ModelConfig",
    "ModelEntry",
    "Plan",
    "Planning",
    "Progress",
    "Reporter",
    "RunConfig",
    "SamplingConfig",
    "Score",
    "TextGenerator",
    "TextStream",
    "TextgenError",
    "TokenLogprob",
    "Trained",
    "TrainingConfig",
    "Validation",
    "__version__",
    "load",
    "plan",
    "resume",
    "train",
]

"""Train a text generator on your own corpus and serve it as a SavedModel.

    import textgen

    textgen.train(["corpus.txt"], name="mine")
    with textgen.load("mine") as model:
        print(model.generate("Once upon a time").text)

Importing textgen costs nothing: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from textgen.version import __version__

# The public names, by the module that defines them. Type checkers cannot read this table:
# a test compares it with the imports below.
_EXPORTS = {
    "card": "ModelCard",
    "catalog": "Catalog ModelEntry",
    "config": "BeamSearchConfig ContrastiveSearchConfig CorpusConfig ModelConfig RunConfig "
    "SamplingConfig TrainingConfig",
    "errors": "CheckpointError ConfigError CorpusError DeviceError GenerationError "
    "ModelBusyError ModelDamagedError ModelNotFoundError ModelUnsafeError PublishedModelError "
    "TextgenError TokenizerError TrainingDivergedError",
    "importing": "import_model",
    "inference": "Generation Score TextGenerator TextStream TokenLogprob load",
    "pipeline": "Trained plan resume train",
    "planning": "Plan",
    "reporter": "Progress Reporter Validation",
    "indexing": "add_index",
    "shrinking": "Shrunk shrink",
}
_HOMES = {name: module for module, names in _EXPORTS.items() for name in names.split()}

if TYPE_CHECKING:  # `as` is what makes an import public to type checkers
    # ruff: noqa: I001
    from textgen.card import ModelCard as ModelCard
    from textgen.catalog import Catalog as Catalog, ModelEntry as ModelEntry
    from textgen.config import (
        BeamSearchConfig as BeamSearchConfig,
        ContrastiveSearchConfig as ContrastiveSearchConfig,
        CorpusConfig as CorpusConfig,
        ModelConfig as ModelConfig,
        RunConfig as RunConfig,
        SamplingConfig as SamplingConfig,
        TrainingConfig as TrainingConfig,
    )
    from textgen.errors import (
        CheckpointError as CheckpointError,
        ConfigError as ConfigError,
        CorpusError as CorpusError,
        DeviceError as DeviceError,
        GenerationError as GenerationError,
        ModelBusyError as ModelBusyError,
        ModelDamagedError as ModelDamagedError,
        ModelNotFoundError as ModelNotFoundError,
        ModelUnsafeError as ModelUnsafeError,
        PublishedModelError as PublishedModelError,
        TextgenError as TextgenError,
        TokenizerError as TokenizerError,
        TrainingDivergedError as TrainingDivergedError,
    )
    from textgen.importing import import_model as import_model
    from textgen.inference import (
        Generation as Generation,
        Score as Score,
        TextGenerator as TextGenerator,
        TextStream as TextStream,
        TokenLogprob as TokenLogprob,
        load as load,
    )
    from textgen.pipeline import Trained as Trained, plan as plan, resume as resume, train as train
    from textgen.planning import Plan as Plan
    from textgen.reporter import (
        Progress as Progress,
        Reporter as Reporter,
        Validation as Validation,
    )
    from textgen.indexing import add_index as add_index
    from textgen.shrinking import Shrunk as Shrunk, shrink as shrink
else:
    __all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])

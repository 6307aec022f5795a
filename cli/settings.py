"""The settings of a run as options of `textgen train`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from textgen.config import CorpusConfig, ModelConfig, RunConfig, TrainingConfig
from textgen.models import registry

_CORPUS = CorpusConfig()
_TRAINING = TrainingConfig()
_CORPUS_FIELDS = tuple(_CORPUS.to_dict())
_TRAINING_FIELDS = tuple(_TRAINING.to_dict())
_MODEL_FIELDS = ("num_layers", "num_heads", "hidden_dim", "context_length", "dropout")
# What a plan is about: it keeps those of them that are given.
PLANNED = frozenset({*_MODEL_FIELDS, *_TRAINING_FIELDS})

_MODEL_OPTIONS = (
    click.option(
        "--model",
        "architecture",
        type=click.Choice(registry.architectures()),
        default=registry.default_architecture(),
        show_default=True,
        help="Which kind of model.",
    ),
    click.option(
        "--size",
        type=click.Choice(registry.size_names()),
        help="Sets the first four below.  [default: planned]",
    ),
    click.option("--num-layers", type=int, help="Number of layers."),
    click.option("--num-heads", type=int, help="Attention heads a block."),
    click.option("--hidden-dim", type=int, help="Width of the model."),
    click.option("--context-length", type=int, help="Tokens the model sees at once."),
    click.option("--dropout", type=float, help="Share of activations dropped in training."),
)

_CORPUS_OPTIONS = (
    click.option("--encoding", default=_CORPUS.encoding, show_default=True, help="Of the files."),
    click.option("--lowercase", is_flag=True, help="Turn all letters to lower case."),
    click.option("--strip-html", is_flag=True, help="Remove HTML tags; decode entities."),
    click.option("--strip-punctuation", is_flag=True, help="Remove punctuation."),
    click.option(
        "--normalize",
        type=click.Choice(["none", "nfc", "nfkc"]),
        default=_CORPUS.normalize,
        show_default=True,
        help="Unicode normalization.",
    ),
    click.option(
        "--split-documents",
        type=click.Choice(["none", "line", "blank-line", "file"]),
        default=_CORPUS.split_documents,
        show_default=True,
        help="Where a document ends; the model learns to begin and to end one.",
    ),
    click.option(
        "--text-column",
        metavar="NAME",
        help="CSV column or JSON Lines key of the text; a row is a document.  [default: text]",
    ),
    click.option(
        "--validation-split",
        type=float,
        default=_CORPUS.validation_split,
        show_default=True,
        help="Share of the corpus, at its end, kept for validation.",
    ),
    click.option(
        "--tokenizer",
        type=click.Choice(["auto", "character", "bpe"]),
        default="auto",
        show_default=True,
        help="bpe: byte pairs, parts of words. auto: by model, corpus size and script.",
    ),
    click.option("--vocab-size", type=int, help="Of bpe.  [default: by corpus size]"),
    click.option(
        "--min-count",
        type=int,
        default=1,
        show_default=True,
        help="Characters seen less often become the unknown token.",
    ),
)

_TRAINING_OPTIONS = (
    click.option("--max-steps", type=int, help="Optimizer steps.  [default: planned]"),
    click.option(
        "--batch-size", type=int, help="Windows a step, over all devices.  [default: planned]"
    ),
    click.option(
        "--accumulate",
        type=int,
        default=_TRAINING.accumulate,
        show_default=True,
        help="Split the batch into so many parts, one after the other, to save memory.",
    ),
    click.option("--learning-rate", type=float, help="Peak.  [default: the optimizer's own]"),
    click.option(
        "--optimizer",
        type=click.Choice(["auto", "muon", "adamw"]),
        default=_TRAINING.optimizer,
        show_default=True,
        help="auto: the one that suits the model.",
    ),
    click.option("--warmup-steps", type=int, help="[default: 5 % of the steps, up to 100]"),
    click.option("--weight-decay", type=float, default=_TRAINING.weight_decay, show_default=True),
    click.option("--clip-norm", type=float, default=_TRAINING.clip_norm, show_default=True),
    click.option("--seed", type=int, default=_TRAINING.seed, show_default=True),
    click.option("--validate-every", type=int, help="Steps.  [default: planned]"),
    click.option("--patience", type=int, help="Stop after so many validations without a gain."),
    click.option(
        "--mixed-precision/--no-mixed-precision",
        default=None,
        help="Compute in bfloat16.  [default: where it pays]",
    ),
    click.option(
        "--strategy",
        type=click.Choice(["auto", "none", "mirrored", "multi-worker"]),
        default=_TRAINING.strategy,
        show_default=True,
        help="auto: all GPUs of this machine. multi-worker: reads TF_CONFIG.",
    ),
    click.option(
        "--jit-compile/--no-jit-compile",
        default=None,
        help="Compile the step with XLA.  [default: where it pays]",
    ),
    click.option(
        "--keep-checkpoints",
        type=int,
        default=_TRAINING.keep_checkpoints,
        show_default=True,
        help="How many of the newest stay on disk.",
    ),
)


def run_options(command: Callable) -> Callable:
    """Give a command the options of model, corpus and training."""
    for option in reversed((*_MODEL_OPTIONS, *_CORPUS_OPTIONS, *_TRAINING_OPTIONS)):
        command = option(command)
    return command


def run_config(settings: dict[str, Any]) -> RunConfig:
    """Return the settings of a run, from the values of the options here.

    Raises:
        ConfigError: a value is outside its range.
    """
    architecture, size = settings["architecture"], settings["size"]
    shape = {name: settings[name] for name in _MODEL_FIELDS if settings[name] is not None}
    if size is not None:
        shape = registry.profile_of(architecture).sizes[size] | shape
    model = ModelConfig.of_settings(architecture, shape)
    return RunConfig(
        corpus=CorpusConfig(**{field: settings[field] for field in _CORPUS_FIELDS}),
        model=model,
        training=TrainingConfig(
            **{field: settings[field] for field in _TRAINING_FIELDS if settings[field] is not None}
        ),
        **{field: settings[field] for field in ("tokenizer", "vocab_size", "min_count")},
    )


def given_settings(ctx: click.Context, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that the user has given, a size as the settings it stands for.

    Args:
        ctx: tells which options were given.
        settings: values of the options here.
    """
    given = {
        name: value
        for name, value in settings.items()
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    if "size" in given:
        # What is given besides takes the place of a setting of the size.
        given = registry.profile_of(settings["architecture"]).sizes[given.pop("size")] | given
    return given

"""What a run inherits from the model that it begins from: shape, tokenizer and cleaning.

Settings that contradict the parent are refused. Only the settings of training, and the dropout,
may differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from textgen.catalog import CHAT_TEMPLATE_PATH, TOKENIZER_PATH, Catalog
from textgen.config import CorpusConfig, ModelConfig, RunConfig
from textgen.errors import ConfigError, ModelDamagedError, TextgenError
from textgen.inference.prompts import read_template
from textgen.run import Parent
from textgen.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from textgen.models.base import LanguageModel

# Settings of a model that do not change what its weights mean.
_OWN = frozenset({"dropout"})
# More than any published model has. Tables of positions grow with it.
_MAX_CONTEXT_LENGTH = 2**20
_CLEANING = ("lowercase", "strip_html", "strip_punctuation", "normalize")


def find_parent(catalog: Catalog, name_or_path: str) -> tuple[Parent, CorpusConfig]:
    """Return a model to begin from, and how its corpus was cleaned.

    Args:
        catalog: The models folder.
        name_or_path: A model's name, `NAME/VERSION`, or a SavedModel's folder.

    Raises:
        ModelNotFoundError: If there is no such model.
        ModelDamagedError: If its card, tokenizer or weights cannot be read.
    """
    entry = catalog.find(name_or_path)
    card = entry.card
    try:
        shape = ModelConfig.from_dict(card.model.to_dict())
        cleaning = CorpusConfig.from_dict(card.corpus.config) if card.corpus else CorpusConfig()
        tokenizer = load_tokenizer(entry.path / TOKENIZER_PATH)
    except TextgenError as error:
        raise ModelDamagedError(f"{entry.path}: cannot begin from this model: {error}") from error
    if not _is_plausible(shape, tokenizer.vocab_size, entry.num_bytes):
        raise ModelDamagedError(
            f"{entry.path}: the files are too small for the model that the card describes."
        )
    origin = card.published or card.parent
    template = read_template(entry) if (entry.path / CHAT_TEMPLATE_PATH).exists() else None
    parent = Parent.read(
        entry.name,
        entry.version,
        entry.path,
        shape,
        tokenizer,
        origin.license if origin else None,
        template,
        card.tokenizer.unseen,
    )
    return parent, cleaning


def trainable_model(parent: Parent) -> LanguageModel:
    """Return the Keras model with the weights of an exported one.

    Raises:
        ModelDamagedError: If the weights cannot be read, or are those of another model.
    """
    from textgen.models import build_model

    model = build_model(parent.config, parent.tokenizer.vocab_size, seed=None)
    try:
        model.load_decoder_weights(parent.weights())
    except ValueError as error:
        raise ModelDamagedError(f"{parent.label}: its weights are damaged: {error}") from error
    return model


def _is_plausible(shape: ModelConfig, vocab_size: int, num_bytes: int) -> bool:
    """Return whether files can hold a model, before memory is set aside for its weights."""
    width, layers = shape.hidden_dim, shape.num_layers
    # A weight takes a byte or more.
    if shape.context_length > _MAX_CONTEXT_LENGTH or width * layers > num_bytes:
        return False
    matrices = sum(rows * columns for rows, columns in shape.profile.matrix_shapes(shape))
    return matrices + vocab_size * width <= num_bytes


def inherit(
    config: RunConfig, given: Mapping[str, Any], parent: Parent, cleaning: CorpusConfig
) -> RunConfig:
    """Return the settings of a run that begins from a model.

    Args:
        config: The settings of the run.
        given: The settings that the user gave, by name.
        parent: The model.
        cleaning: How its corpus was cleaned. The new corpus is cleaned in the same way, unless the
            user gave other settings.

    Raises:
        ConfigError: If a given setting contradicts the model.
    """
    shape = parent.config.to_dict()
    for name in (config.model.to_dict().keys() | shape.keys()) & given.keys() - _OWN:
        if given[name] != shape.get(name):
            raise _contradiction(name, shape.get(name), given[name], parent)
    kind, vocab_size = parent.tokenizer.kind, parent.tokenizer.vocab_size
    for name, own, allowed in (
        ("tokenizer", kind, ("auto", kind)),
        ("vocab_size", vocab_size, (None, vocab_size)),
        ("min_count", 1, (1,)),
    ):
        if (value := getattr(config, name)) not in allowed:
            raise _contradiction(name, own, value, parent)
    layers, frozen = parent.config.num_layers, config.training.freeze_layers
    if frozen >= layers:
        raise ConfigError(
            f"freeze_layers must be less than the {layers} layers of {parent.label}. "
            f"Received: {frozen}"
        )
    if config.training.adapter_rank and not parent.config.profile.has_adapters:
        raise ConfigError(
            f"adapter_rank cannot be used with {parent.label}, because a model of the family "
            f"{parent.config.architecture} has no adapters. "
            f"Received: {config.training.adapter_rank}"
        )
    config.training.window(parent.config.context_length)
    dropout = (config.model if "dropout" in given else parent.config).dropout
    cleaned = {name: getattr(cleaning, name) for name in _CLEANING if name not in given}
    return dataclasses.replace(
        config,
        model=dataclasses.replace(parent.config, dropout=dropout),
        corpus=dataclasses.replace(config.corpus, **cleaned),
    )


def _contradiction(name: str, own: Any, received: Any, parent: Parent) -> ConfigError:
    own_text = "none" if own is None else repr(own)
    return ConfigError(
        f"{name} comes from the model to begin from, {parent.label}: {own_text}. "
        f"Received: {received!r}"
    )

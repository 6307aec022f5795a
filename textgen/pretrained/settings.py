"""Turn the settings of a checkpoint into a config, by the family's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textgen.config import ModelConfig
from textgen.errors import ConfigError, PublishedModelError
from textgen.models.published import Format, FormatName
from textgen.models.registry import published_kinds

_MISSING: Any = object()
_SCALING = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")


def find_format(name: FormatName, kind: object) -> tuple[str, Format]:
    """Return the family of a checkpoint's kind of model, and how to read it.

    Raises:
        PublishedModelError: If the kind is not supported.

    Example:
        >>> find_format("hugging_face", "gpt2")[1].settings["num_layers"]
        ('n_layer',)
    """
    kinds = published_kinds(name)
    if not isinstance(kind, str) or kind not in kinds:
        raise PublishedModelError(
            f"Models of the kind {kind!r} are not supported; these are: {', '.join(sorted(kinds))}."
        )
    return kinds[kind]


def read_settings(
    architecture: str, table: Format, kind: str, values: Mapping[str, Any]
) -> ModelConfig:
    """Return the shape of a published model.

    Args:
        architecture: Our family.
        table: How the family's settings are called in the checkpoint.
        kind: What the checkpoint calls its kind of model.
        values: The settings of the checkpoint.

    Raises:
        PublishedModelError: If a setting is missing, out of range, or not supported.
    """
    for name, supported in table.required.items():
        value = _look_up(values, name)
        if value is not _MISSING and value not in supported:
            raise PublishedModelError(
                f"{name} must be {' or '.join(map(repr, supported))}. Received: {value!r}"
            )
    settings: dict[str, Any] = {"dropout": 0.0, **table.kinds[kind]}
    for ours, names in table.settings.items():
        found = (_look_up(values, name) for name in names)
        value = next((each for each in found if each is not _MISSING), _MISSING)
        if value is _MISSING:
            value = table.defaults.get(ours, _MISSING)
        if value is _MISSING:
            raise PublishedModelError(f"The settings of the model have no {names[0]}.")
        settings[ours] = read_rope_scaling(value) if ours == "rope_scaling" else value
    try:
        config = ModelConfig(architecture, **settings)
    except ConfigError as error:
        raise PublishedModelError(f"The settings of the model do not fit: {error}") from error
    _refuse_sliding_window(values, config.context_length)
    return config


def _look_up(values: Mapping[str, Any], name: str) -> Any:
    """Return the value of a name with dots, or `_MISSING`; JSON's null counts as missing."""
    if name in values:
        return _MISSING if values[name] is None else values[name]
    first, dot, rest = name.partition(".")
    inner = values.get(first)
    return _look_up(inner, rest) if dot and isinstance(inner, Mapping) else _MISSING


def read_rope_scaling(value: Any) -> dict[str, float] | None:
    """Return the RoPE scaling, from a setting of Hugging Face.

    Raises:
        PublishedModelError: If this scaling is not supported.

    Example:
        >>> read_rope_scaling({"rope_type": "default", "rope_theta": 10_000.0})
    """
    if value is None:
        return None
    kind = value.get("rope_type", value.get("type")) if isinstance(value, Mapping) else value
    if kind == "default":
        return None
    if kind != "llama3" or not all(name in value for name in _SCALING):
        raise PublishedModelError(
            f"rope_type must be 'default', or 'llama3' with its settings. Received: {kind!r}"
        )
    return {name: value[name] for name in _SCALING}


def _refuse_sliding_window(values: Mapping[str, Any], context_length: int) -> None:
    names = ("sliding_window", "attention.sliding_window", "sliding_window_size")
    window = next((values[name] for name in names if values.get(name) is not None), None)
    switches = ("use_sliding_window", "use_sliding_window_attention")
    is_used = all(values.get(name, True) is not False for name in switches)
    fits = isinstance(window, int) and window >= context_length
    kinds = values.get("layer_types")
    is_mixed = isinstance(kinds, list) and set(map(str, kinds)) != {"full_attention"}
    if is_mixed or (window is not None and is_used and not fits):
        raise PublishedModelError(
            "Models that attend to a sliding window of the text are not supported. Received: "
            f"sliding_window={window!r}, layer_types={sorted(set(map(str, kinds or [])))}"
        )

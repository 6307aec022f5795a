"""The families of models by name. `textgen.models` registers its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textgen.checks import choices
from textgen.errors import ConfigError
from textgen.models.profile import Profile, shape_text
from textgen.models.published import Format, FormatName

_PROFILES: dict[str, Profile[Any]] = {}


def register(profile: Profile[Any]) -> None:
    """Add a family; the first one registered is the default."""
    _PROFILES[profile.name] = profile


def profile_of(architecture: str) -> Profile[Any]:
    """Return the profile of a family.

    Raises:
        ConfigError: If there is no family of that name.
    """
    # Not a lookup first: what JSON holds may not be hashable.
    if architecture not in architectures():
        rule = f"architecture must be one of {', '.join(sorted(architectures()))}"
        raise ConfigError(f"{rule}. Received: {architecture!r}")
    return _PROFILES[architecture]


def architectures() -> tuple[str, ...]:
    """Return the names of all families, the default first."""
    return tuple(_PROFILES)


def default_architecture() -> str:
    """Return the family of a model when none is named."""
    return architectures()[0]


def published_kinds(name: FormatName) -> dict[str, tuple[str, Format]]:
    """Return the kinds of models that are published in a format.

    Args:
        name: The format.

    Returns:
        By what a checkpoint calls its kind: our family, and how to read it.

    Example:
        >>> published_kinds("gguf")["gpt2"][0]
        'transformer'
    """
    return {
        kind: (architecture, each)
        for architecture, profile in _PROFILES.items()
        for each in profile.formats(name)
        for kind in each.kinds
    }


def describe(shape: Mapping[str, Any]) -> str:
    """Return the shape of a model in a few words; its family may be unknown to this version.

    Args:
        shape: The settings of a model, as its card holds them.
    """
    profile = _PROFILES.get(shape["architecture"])
    return profile.describe(shape) if profile else shape_text(shape)


def sees_all(architecture: str) -> bool:
    """Return whether a family's models see prompts of any length; unknown families are assumed to.

    Args:
        architecture: The family of a model, as its card holds it.
    """
    profile = _PROFILES.get(architecture)
    return profile is None or profile.has_unlimited_context


def architectures_with(setting: str) -> tuple[str, ...]:
    """Return the names of the families that have a setting."""
    return tuple(
        name for name, each in _PROFILES.items() if setting in each.config_class.setting_names()
    )


def choices_of(setting: str) -> tuple[str, ...]:
    """Return the values of a setting that only some families have, such as `"positions"`."""
    return choices(profile_of(architectures_with(setting)[0]).config_class, setting)


def size_names() -> tuple[str, ...]:
    """Return the names of the sizes that at least one family has, from small to large."""
    return tuple(dict.fromkeys(name for each in _PROFILES.values() for name in each.sizes))

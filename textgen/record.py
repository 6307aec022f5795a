"""The base of all settings."""

from __future__ import annotations

import dataclasses
from typing import Any

from textgen.errors import ConfigError

# The default of a setting that is filled in with what suits the others, before it is ever read.
LEFT_OUT: Any = None


class Record:
    """What every config shares: conversion to and from plain dictionaries."""

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dictionary that JSON can hold."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Any:
        """Build the config from `to_dict`'s result.

        Raises:
            ConfigError: a name is unknown or a value is outside its range.
        """
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"Unknown settings for {cls.__name__}: {', '.join(unknown)}")
        return cls(**values)

    def _fill_in(self, **values: Any) -> None:
        """Set what was left out; for `__post_init__`, because configs are frozen."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

"""The base of all settings."""

from __future__ import annotations

import dataclasses
from typing import Any

from textgen.errors import ConfigError


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

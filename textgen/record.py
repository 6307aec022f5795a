"""The base class of all settings."""

from __future__ import annotations

import dataclasses
from typing import Any

from textgen.errors import ConfigError

# Default of a setting whose value is derived from the other settings when a config is built.
LEFT_OUT: Any = None


class Record:
    """Converts a config to and from a plain dictionary."""

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dictionary of JSON values."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Any:
        """Build the config from the result of `to_dict`.

        Raises:
            ConfigError: If a name is unknown or a value is out of range.
        """
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"Unknown settings for {cls.__name__}: {', '.join(unknown)}")
        return cls(**values)

    def _fill_in(self, **values: Any) -> None:
        """Set derived values in `__post_init__`, although configs are frozen."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

"""The table of generation controls: one row per setting that a caller may give.

A row is a field of `SamplingConfig`, `BeamSearchConfig` or `ContrastiveSearchConfig`, declared
as a `Control`. Everything else is derived from the rows: checks and defaults of the configs, the
inputs of the exported graph, the values the graph clamps to, command-line flags, HTTP fields,
warmup requests and the reference in the docs.

    >>> for control in controls_of(SamplingConfig):
    ...     print(control.name, control.dtype, control.default, control.rule, control.help)
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

from textgen.checks import check, is_int, is_number, is_text
from textgen.record import Record

INT32_MAX, INT64_MAX = 2**31 - 1, 2**63 - 1
FLOAT32_MAX = 3.4028234663852886e38
# Beyond a million of either sign no probability changes any more, and sums of such
# logits stay finite.
LARGE = 1e6


class Stage(enum.Enum):
    """Where a control acts. The members are in the order in which they are applied."""

    PENALTY = "penalties for what the text already says"
    BIAS = "biases and bans"
    TEMPERATURE = "temperature"
    TRUNCATION = "truncation to likely tokens"
    MIROSTAT = "Mirostat, which replaces the truncation"
    DRAW = "random draw"
    CONSTRAINT = "what the text must, or must not, contain"
    SEARCH = "search"
    END = "end of the text"
    REPORT = "what is reported"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Control:
    """One row of the table.

    Attributes:
        name: Name of the setting: the field, the graph's input, the HTTP field; with hyphens,
            the flag. `controls_of` fills it in.
        default: Default value. `None` means that the setting may be left out.
        stage: Where it acts.
        help: What it does, in one phrase that stands alone.
        off: The value that turns it off. A control with such a value and a filter in
            `textgen.sampling` switches that filter.
        clamp: Lowest and highest value that the graph computes with; `None` if there is no limit.
        absent: The value of the graph's input that means `None`.
        warmup: A value that switches it on, for the warmup request of an exported model; `None`
            leaves the default.
    """

    dtype: ClassVar[str]

    name: str = ""
    default: Any
    stage: Stage
    help: str
    off: float | None = None
    clamp: tuple[float, float] | None = None
    absent: Any = None
    warmup: Any = None

    @property
    def rule(self) -> str:
        """The values it may have, as in "must be {rule}"."""
        raise NotImplementedError

    def checked(self, value: Any) -> Any:
        """Return a value in the form the config keeps it.

        Raises:
            ConfigError: If the value is outside its range.
        """
        if value is not None or self.default is not None:
            self._check(self._fits(value), self.rule, value)
        return value

    def inputs(self, value: Any) -> dict[str, tuple[str, list[Any]]]:
        """Return the graph's inputs for a value: name -> (dtype, one row of a batch).

        A constraint has none: the host makes one automaton of all (`textgen.constraints`).
        """
        return {} if self.stage is Stage.CONSTRAINT else self._inputs(value)

    def _inputs(self, value: Any) -> dict[str, tuple[str, list[Any]]]:
        return {self.name: (self.dtype, [self.absent if value is None else value])}

    def _fits(self, value: Any) -> bool:
        raise NotImplementedError

    def _check(self, fits: bool, rule: str, value: Any) -> None:
        check(fits, f"{self.name} must be {rule}", value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Integer(Control):
    """A control whose value is an integer that an int32 can hold.

    Attributes:
        low: Lowest value.
        high: Highest value.
    """

    dtype = "int32"

    low: int
    high: int = INT32_MAX

    @property
    def rule(self) -> str:
        """The values it may have."""
        if self.high < INT32_MAX:
            return f"an integer in [{self.low}, {self.high}]"
        return f"an integer >= {self.low}"

    def checked(self, value: Any) -> Any:
        """Return the value if it fits."""
        is_too_large = is_int(value) and value > self.high == INT32_MAX
        self._check(not is_too_large, f"less than {INT32_MAX + 1}", value)
        return super().checked(value)

    def _fits(self, value: Any) -> bool:
        return is_int(value) and self.low <= value <= self.high


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seed(Integer):
    """An integer that an int64 can hold."""

    dtype = "int64"

    high: int = INT64_MAX

    @property
    def rule(self) -> str:
        """The values it may have."""
        return "an integer in [0, 2**63)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Number(Control):
    """A control whose value is a finite number.

    Attributes:
        low: Lowest value; `None` if there is none.
        high: Highest value; `None` if there is none.
        excludes_low: Whether `low` itself is outside the range.
        invalid: What the graph puts in place of NaN. Defaults to `off`.
        is_positive: Whether the graph treats values <= 0 like NaN instead of clamping them.
    """

    dtype = "float32"

    low: float | None = None
    high: float | None = None
    excludes_low: bool = False
    invalid: float | None = None
    is_positive: bool = False

    @property
    def replacement(self) -> float:
        """What the graph puts in place of NaN."""
        return float((self.off if self.invalid is None else self.invalid) or 0)

    @property
    def rule(self) -> str:
        """The values it may have."""
        if self.high is not None:
            return f"in {'(' if self.excludes_low else '['}{self.low:g}, {self.high:g}]"
        if self.low is not None:
            return f"a finite number {'>' if self.excludes_low else '>='} {self.low:g}"
        return "a finite number"

    def _fits(self, value: Any) -> bool:
        if not is_number(value):
            return False
        is_low = self.low is not None and (
            value <= self.low if self.excludes_low else value < self.low
        )
        return not is_low and (self.high is None or value <= self.high)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Texts(Control):
    """A control whose value is any number of strings."""

    dtype = "string"

    default: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """The values it may have."""
        return "a list of non-empty strings"

    def checked(self, value: Any) -> Any:
        """Return the strings as a tuple."""
        # A string is a sequence of strings, too, but its characters are never what was meant.
        self._check(isinstance(value, (list, tuple)), self.rule, value)
        texts = tuple(value)
        self._check(all(isinstance(text, str) and text for text in texts), self.rule, texts)
        rule = "Unicode text without lone surrogates"
        self._check(all(map(is_text, texts)), rule, texts)
        return texts

    def _inputs(self, value: Any) -> dict[str, tuple[str, list[Any]]]:
        # Empty texts are ignored. An empty row would say the same, but a server that merges
        # requests pads shorter rows, and cannot pad a row without elements.
        return {self.name: (self.dtype, [[text.encode() for text in value] or [b""]])}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Biases(Control):
    """A control whose value is any number of texts, each with a number.

    The graph has two inputs for it, `bias_text` and `bias`.
    """

    dtype = "string"

    default: tuple[tuple[str, float], ...] = ()

    @property
    def rule(self) -> str:
        """The values it may have."""
        return "pairs of non-empty strings and numbers"

    def checked(self, value: Any) -> Any:
        """Return the pairs, or the items of a dictionary, as tuples."""
        pairs = value.items() if isinstance(value, Mapping) else value
        try:
            values = tuple((text, bias) for text, bias in pairs)
        except (TypeError, ValueError):
            values = (("", None),)
        fits = all(is_text(text) and is_number(bias) for text, bias in values)
        self._check(fits, self.rule, value)
        return values

    def _inputs(self, value: Any) -> dict[str, tuple[str, list[Any]]]:
        return {
            "bias_text": ("string", [[text.encode() for text, _ in value] or [b""]]),
            "bias": ("float32", [[float(bias) for _, bias in value] or [0.0]]),
        }


def row(control: Control) -> Any:
    """Return a dataclass field for a control."""
    return dataclasses.field(default=control.default, metadata={"control": control})


@functools.cache
def controls_of(config: type) -> tuple[Control, ...]:
    """Return the rows of a config, in the order of its fields."""
    return tuple(
        dataclasses.replace(field.metadata["control"], name=field.name)
        for field in dataclasses.fields(config)
    )


def documented(config: type) -> type:
    """Append the rows to a config's docstring, as its attributes; a class decorator."""
    lines = [
        f"    {control.name}: {control.help} Must be {control.rule}."
        for control in controls_of(config)
    ]
    config.__doc__ = "\n".join([inspect.cleandoc(config.__doc__ or ""), "", "Attributes:", *lines])
    return config


class ControlRecord(Record):
    """A config whose fields are rows of the table. It checks itself by them."""

    def __post_init__(self) -> None:
        for control in controls_of(type(self)):  # type: ignore[arg-type]
            checked = control.checked(getattr(self, control.name))
            object.__setattr__(self, control.name, checked)

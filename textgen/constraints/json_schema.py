"""JSON schemas as regular expressions.

Part of the language of JSON Schema (https://json-schema.org/draft/2020-12) is regular: nested
objects and arrays, as long as nothing contains itself. Properties come in the order of the
schema, and spaces are where `json.dumps` puts them. What else a schema may say is refused by name,
because a text that only seems to keep to it is worse than none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from textgen.constraints.automaton import DEAD
from textgen.constraints.patterns import match_pattern
from textgen.errors import ConfigError

_NAME = "json_schema"
_ANNOTATIONS = {
    *("$schema", "$id", "$comment", "title", "description", "default", "examples"),
    *("deprecated", "readOnly", "writeOnly", "$defs", "definitions"),
}
_INTEGER = "-?(?:0|[1-9][0-9]{0,14})"
_NUMBER = _INTEGER + r"(?:\.[0-9]{1,15})?(?:[eE][+-]?[0-9]{1,2})?"
_CHARACTER = r'(?:[^"\\\x00-\x1f]|\\["\\/bfnrt])'
# Bytes that stand for something else in a JSON string: quotes, backslashes, control characters.
_ESCAPED = (*range(0x20), ord('"'), ord("\\"))
# The pattern of a longer or deeper schema would take minutes to follow.
_MAX_LENGTH, _MAX_DEPTH = 100_000, 32


def schema_pattern(text: str) -> str:
    """Return the pattern of the JSON texts that a schema allows.

    Args:
        text: The schema as JSON text.

    Raises:
        ConfigError: If the schema says something that no pattern can, or contradicts itself.

    Example:
        >>> schema_pattern('{"type": "array", "items": {"enum": [1, 2]}, "maxItems": 2}')
        '\\\\[(?:(?:1|2)(?:, (?:1|2)){0,1})?\\\\]'
    """
    schema = json.loads(text)
    return _Translator(schema).pattern(schema, "#", ())


class _Translator:
    """Turns the parts of one schema into patterns.

    Args:
        root: The whole schema, in which references are looked up.
    """

    def __init__(self, root: Any) -> None:
        self._root = root
        self._known: dict[str, str] = {}  # by reference, because a part may be used often
        self._kinds: dict[str, tuple[set[str], Callable[..., str]]] = {
            "string": ({"minLength", "maxLength", "pattern"}, self._string),
            "integer": (set(), lambda *_: _INTEGER),
            "number": (set(), lambda *_: _NUMBER),
            "boolean": (set(), lambda *_: "(?:true|false)"),
            "null": (set(), lambda *_: "null"),
            "array": ({"items", "minItems", "maxItems"}, self._array),
            "object": ({"properties", "required", "additionalProperties"}, self._object),
        }

    def pattern(self, schema: Any, where: str, above: tuple[str, ...]) -> str:
        """Return the pattern of the values that a schema allows.

        Args:
            schema: The schema.
            where: Its place in the whole one, as a JSON pointer.
            above: The references that led here.
        """
        if not isinstance(schema, Mapping):
            raise _error("say what every value is, as an object", f"{schema!r} at {where}")
        if where.count("/") + len(above) > 2 * _MAX_DEPTH:
            raise _error(f"nest at most {_MAX_DEPTH} deep", f"more at {where}")
        if "$ref" in schema:
            _only(schema, {"$ref"}, where)
            found = self._reference(schema["$ref"], where, above)
        elif "anyOf" in schema:
            _only(schema, {"anyOf"}, where)
            branches = _list(schema, "anyOf", where)
            found = _either(
                self.pattern(each, f"{where}/anyOf/{i}", above) for i, each in enumerate(branches)
            )
        elif "enum" in schema or "const" in schema:
            _only(schema, {"enum", "const", "type"}, where)
            found = self._literals(schema, where)
        else:
            kinds = self._types(schema, where)
            known = {"type"}.union(*(self._kinds[kind][0] for kind in kinds or self._kinds))
            _only(schema, known, where)
            if not kinds:
                raise _error("say the type of every value", f"none at {where}")
            found = _either(self._kinds[kind][1](schema, where, above) for kind in kinds)
        if len(found) > _MAX_LENGTH:
            raise _error("be simpler", f"a pattern of {len(found):,} characters at {where}")
        return found

    def _reference(self, name: Any, where: str, above: tuple[str, ...]) -> str:
        if name in above or name == "#":
            raise _error("not contain itself", f"{name!r} at {where}")
        target: Any = self._root
        try:
            start, *keys = name.split("/")
            for key in keys:
                target = target[key.replace("~1", "/").replace("~0", "~")]
        except (AttributeError, KeyError, TypeError):
            start = None
        if start != "#":
            raise _error("refer to its own parts only", f"{name!r} at {where}")
        if name not in self._known:
            self._known[name] = self.pattern(target, name, (*above, name))
        return self._known[name]

    def _types(self, schema: Mapping[str, Any], where: str) -> list[str]:
        names = schema.get("type", [])
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list) or not set(map(str, names)) <= self._kinds.keys():
            rule = f"have types among {', '.join(self._kinds)}"
            raise _error(rule, f"{schema['type']!r} at {where}")
        return names

    def _literals(self, schema: Mapping[str, Any], where: str) -> str:
        values = _list(schema, "enum", where) if "enum" in schema else [schema["const"]]
        if "const" in schema:
            values = [each for each in values if _same(each, schema["const"])]
        kinds = self._types(schema, where)
        if kinds:
            values = [each for each in values if any(_is_of(each, kind) for kind in kinds)]
        if not values:
            raise _error("leave a value", f"none at {where}")
        return _either(map(_literal, values))

    def _string(self, schema: Mapping[str, Any], where: str, above: tuple[str, ...]) -> str:
        if "pattern" not in schema:
            return f'"{_CHARACTER}{_counts(schema, "Length", where)}"'
        if "minLength" in schema or "maxLength" in schema:
            raise _error("have a pattern or a length, not both", f"both at {where}")
        pattern = schema["pattern"]
        if not isinstance(pattern, str) or not re.fullmatch(r"(?s:\^.*(?<!\\)\$)", pattern):
            raise _error("have patterns from ^ to $", f"{pattern!r} at {where}")
        automaton = match_pattern(pattern[1:-1], _NAME)
        if (automaton.table[:, np.array(_ESCAPED)] != DEAD).any():
            rule = "have patterns without quotes, backslashes and control characters"
            raise _error(rule, f"{pattern!r} at {where}")
        return f'"(?:{pattern[1:-1]})"'

    def _array(self, schema: Mapping[str, Any], where: str, above: tuple[str, ...]) -> str:
        low, high = _range(schema, "Items", where)
        if high == 0:
            return r"\[\]"
        if "items" not in schema:
            raise _error("say what the items of every array are", f"none at {where}")
        item = self.pattern(schema["items"], f"{where}/items", above)
        most = "" if high is None else high - 1
        items = f"{item}(?:, {item}){{{max(low - 1, 0)},{most}}}"
        return rf"\[{items}\]" if low else rf"\[(?:{items})?\]"

    def _object(self, schema: Mapping[str, Any], where: str, above: tuple[str, ...]) -> str:
        properties = schema.get("properties", {})
        required = _list(schema, "required", where) if schema.get("required") else []
        if not isinstance(properties, Mapping) or not properties:
            raise _error("say the properties of every object", f"none at {where}")
        missing = [name for name in required if name not in list(properties)]
        if missing:
            raise _error("have all required properties", f"not {missing[0]!r} at {where}")
        members = [
            (
                f"{_literal(name)}: "
                + self.pattern(value, f"{where}/properties/{_pointer(name)}", above),
                name in required,
            )
            for name, value in properties.items()
        ]
        return rf"\{{{_members(members)}\}}"


def _members(members: Sequence[tuple[str, bool]]) -> str:
    """Return the pattern of an object's members, each with whether it is required."""
    # What may follow some member, and what may come if there is none yet; from the last one on.
    after, alone = "", ""
    for member, is_required in reversed(members):
        first = member + after
        after = f", {member}{after}" if is_required else f"(?:, {member})?{after}"
        alone = first if is_required else f"(?:{first}|{alone})"
        if len(alone) > _MAX_LENGTH:
            raise _error("be simpler", f"a pattern of {len(alone):,} characters")
    return alone


def _counts(schema: Mapping[str, Any], what: str, where: str) -> str:
    low, high = _range(schema, what, where)
    return f"{{{low},{'' if high is None else high}}}"


def _range(schema: Mapping[str, Any], what: str, where: str) -> tuple[int, int | None]:
    """Return the least and the largest number of something; `None` if there is no largest."""
    low, high = schema.get(f"min{what}", 0), schema.get(f"max{what}")
    for number in (low, 0 if high is None else high):
        if type(number) is not int or number < 0:
            raise _error(
                f"have integers >= 0 for min{what} and max{what}", f"{number!r} at {where}"
            )
    if high is not None and low > high:
        raise _error(f"have min{what} up to max{what}", f"{low} and {high} at {where}")
    return low, high


def _list(schema: Mapping[str, Any], keyword: str, where: str) -> list[Any]:
    values = schema[keyword]
    if not isinstance(values, list) or not values:
        raise _error(f"have a list for {keyword}", f"{values!r} at {where}")
    return values


def _only(schema: Mapping[str, Any], known: set[str], where: str) -> None:
    """Refuse keywords that would be ignored."""
    for keyword in schema:
        if keyword not in known | _ANNOTATIONS:
            raise _error("keep to what a pattern can say", f"{keyword!r} at {where}")


def _is_of(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    classes: dict[str, Any] = {"string": str, "integer": int, "number": (int, float)}
    classes |= {"null": type(None), "array": list, "object": dict, "boolean": bool}
    return isinstance(value, classes[kind])


def _same(first: Any, second: Any) -> bool:
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def _literal(value: Any) -> str:
    try:
        return re.escape(json.dumps(value, ensure_ascii=False, allow_nan=False))
    except ValueError:
        raise _error("have finite numbers", repr(value)) from None


def _pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _either(patterns: Any) -> str:
    found = list(dict.fromkeys(patterns))
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"


def _error(rule: str, received: str) -> ConfigError:
    return ConfigError(f"{_NAME} must {rule}. Received: {received}")

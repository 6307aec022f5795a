"""Schemas as patterns: what they allow is valid, and what cannot be followed is refused."""

import json
import random
import re

import jsonschema
import pytest

from textgen.constraints.automaton import DEAD, End
from textgen.constraints.json_schema import schema_pattern
from textgen.constraints.patterns import match_pattern
from textgen.errors import ConfigError

SCHEMAS = [
    {"type": "string", "maxLength": 5},
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]+|x$"},
    {"type": ["integer", "null"]},
    {"type": "number"},
    {"enum": ['a"\\', 3, None, {"b": [1.5, "é"]}, True], "type": ["string", "object", "boolean"]},
    {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 4},
    {"type": "array", "items": {"const": "x"}},
    {"type": "array", "maxItems": 0},
    {
        "$defs": {"name": {"type": "string", "minLength": 1, "maxLength": 3}},
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/name"},
            "b~/c": {"type": "boolean", "description": "said, not enforced"},
            "d": {"anyOf": [{"type": "null"}, {"$ref": "#/properties/b~0~1c"}]},
            "e": {
                "type": "object",
                "properties": {"f": {"type": "array", "items": {"type": "number"}, "maxItems": 2}},
                "required": ["f"],
                "additionalProperties": False,
            },
        },
        "required": ["d"],
        "additionalProperties": False,
    },
    {"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}}},
]


def walk(automaton, draw):
    """A text that the automaton accepts, drawn byte by byte; `None` if it gets too long."""
    state, text = 0, b""
    while len(text) < 300:
        if automaton.ends[state] == End.COMPLETE and draw.random() < 0.3:
            return text.decode()
        following = [byte for byte in range(256) if automaton.table[state, byte] != DEAD]
        if not following:
            assert automaton.ends[state] == End.COMPLETE
            return text.decode()
        # Closing brackets and quotes more often, or a string would never end.
        ends = [byte for byte in following if byte in b'"]},']
        byte = draw.choice(ends if ends and draw.random() < 0.4 else following)
        state, text = int(automaton.table[state, byte]), text + bytes([byte])
    return None


def test_a_thousand_texts_are_valid():
    draw, found = random.Random(1), 0
    for schema in SCHEMAS:
        automaton = match_pattern(schema_pattern(json.dumps(schema)))
        texts = [text for _ in range(130) if (text := walk(automaton, draw)) is not None]
        assert len(texts) > 100
        for text in texts:
            jsonschema.validate(json.loads(text), schema)
        found += len(texts)
    assert found >= 1000


@pytest.mark.parametrize(
    ("schema", "allowed", "forbidden"),
    [
        (SCHEMAS[0], ['""', '"a\\n\\"é"'], ['"abcdef"', '"\n"', "a", '"\\u0041"']),
        (SCHEMAS[1], ['"AB-12"', '"x"'], ['"AB-"', '"ab-1"', '"AB-1x"']),
        (SCHEMAS[3], ["0", "-1.5e-10", "20"], ["01", "1.", ".5", "1e999"]),
        (SCHEMAS[4], ['"a\\"\\\\"', '{"b": [1.5, "é"]}', "true"], ["3", "null"]),
        (SCHEMAS[5], ["[1, 2]", "[1, 2, 3, 4]"], ["[1]", "[1, 2, 3, 4, 5]", "[1,2]"]),
        (SCHEMAS[6], ["[]", '["x"]', '["x", "x"]'], ['["y"]', '["x", ]']),
        (
            SCHEMAS[9],
            ["{}", '{"a": null}', '{"b": null}', '{"a": null, "b": null}'],
            ['{"b": null, "a": null}', '{"a": null, }', '{, "b": null}'],
        ),
    ],
)
def test_a_schema_allows_what_it_says(schema, allowed, forbidden):
    pattern = schema_pattern(json.dumps(schema))
    assert [text for text in allowed if not re.fullmatch(pattern, text)] == []
    assert [text for text in forbidden if re.fullmatch(pattern, text)] == []


def deep(depth):
    schema = {"type": "null"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


LAUGHS = {
    "$defs": {
        f"d{i}": {"type": "array", "items": {"$ref": f"#/$defs/d{i + 1}"}, "minItems": 2}
        for i in range(20)
    }
    | {"d20": {"type": "null"}},
    "$ref": "#/$defs/d0",
}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "integer", "minimum": 3}, "to what a pattern can say. Received: 'minimum' at #"),
        ({"title": "a"}, "say the type of every value. Received: none at #"),
        ({"oneOf": [{}]}, "to what a pattern can say. Received: 'oneOf' at #"),
        ({"type": "string", "oneOf": []}, "to what a pattern can say. Received: 'oneOf' at #"),
        ({"type": "string", "format": "date"}, "Received: 'format' at #"),
        ({"type": "text"}, "have types among string, integer, "),
        ({"type": [["null"]]}, "have types among string, integer, "),
        ({"type": "array", "items": True}, "say what every value is, as an object"),
        ({"type": "array"}, "say what the items of every array are. Received: none at #"),
        ({"type": "object"}, "say the properties of every object. Received: none at #"),
        (
            {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["b"]},
            "have all required properties. Received: not 'b' at #",
        ),
        (
            {"type": "object", "properties": {"a": {"$ref": "#"}}},
            "not contain itself. Received: '#' at #/properties/a",
        ),
        (
            {
                "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}},
                "$ref": "#/$defs/a",
            },
            "not contain itself. Received: '#/$defs/a' at #/$defs/a/items",
        ),
        ({"$ref": "other.json"}, "refer to its own parts only. Received: 'other.json' at #"),
        ({"$ref": "#/nowhere"}, "refer to its own parts only. Received: '#/nowhere' at #"),
        ({"enum": [1], "type": "string"}, "leave a value. Received: none at #"),
        ({"enum": []}, "have a list for enum. Received: [] at #"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "have minLength up to maxLength"),
        ({"type": "string", "maxLength": -1}, "have integers >= 0 for minLength and maxLength"),
        ({"type": "string", "maxLength": True}, "have integers >= 0 for minLength and maxLength"),
        ({"type": "string", "pattern": "a"}, "have patterns from ^ to $. Received: 'a' at #"),
        ({"type": "string", "pattern": "^.$"}, "have patterns without quotes, backslashes"),
        ({"type": "string", "pattern": "^a)(b$"}, "be a regular expression"),
        ({"type": "string", "pattern": "^(?=a)$"}, "have no lookaround"),
        ({"type": "string", "pattern": "^a$", "maxLength": 3}, "have a pattern or a length"),
        (deep(40), "nest at most 32 deep"),
        (LAUGHS, "be simpler. Received: a pattern of"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(schema, message):
    with pytest.raises(ConfigError) as caught:
        schema_pattern(json.dumps(schema))
    assert str(caught.value).startswith("json_schema must ")
    assert message in str(caught.value)


def test_a_part_that_is_used_often_is_read_once():
    schema = {
        "$defs": {
            f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(30)
        } | {"d30": {"type": "null"}},
        "$ref": "#/$defs/d0",
    }  # fmt: skip
    assert schema_pattern(json.dumps(schema)) == "null"

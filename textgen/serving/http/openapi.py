"""The OpenAPI description of the server, and a page that shows it."""

from __future__ import annotations

import html
import json
from typing import Any

from textgen.config import SamplingConfig
from textgen.config.constraint_controls import Switch, Text
from textgen.config.controls import Biases, Control, Integer, Number, Texts, controls_of
from textgen.serving.http.completion_request import OPENAI_NAMES
from textgen.serving.http.limits import Limits
from textgen.version import __version__

_TEXTS = {"type": "array", "items": {"type": "string"}}
_MODEL = {"type": "string", "description": "Name of the model; the first one if left out."}


def describe(limits: Limits) -> dict[str, Any]:
    """Return the OpenAPI document.

    Args:
        limits: What requests may ask for.
    """
    name = _path_parameter("name", {"type": "string", "minLength": 1})
    version = _path_parameter("version", {"type": "integer", "minimum": 0})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "textgen",
            "version": __version__,
            "description": "Text generation with exported models.",
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _ERROR, "Completion": _COMPLETION},
        },
        "security": [{}, {"key": []}],
        "paths": {
            "/v1/models": {"get": _operation("List the models.")},
            "/v1/models/{name}": {
                "get": _operation("Describe a model; the keys of both APIs.", 404),
                "parameters": [name],
            },
            "/v1/completions": {
                "post": {
                    **_operation("Generate text.", 400, 404, 429, result="Completion"),
                    "requestBody": _body(_completion_request(limits)),
                }
            },
            "/v1/chat/completions": {
                "post": {
                    **_operation("Answer a dialogue, by the model's chat template.", 400, 404, 429),
                    "requestBody": _body(_object(["messages"], messages={"type": "array"})),
                }
            },
            "/tokenize": {
                "post": {
                    **_operation("Return the token ids of a text.", 400, 404),
                    "requestBody": _body(_object(["prompt"], prompt={"type": "string"})),
                }
            },
            "/detokenize": {
                "post": {
                    **_operation("Return the text of token ids.", 400, 404),
                    "requestBody": _body(
                        _object(
                            ["tokens"],
                            tokens={"type": "array", "items": {"type": "integer", "minimum": 0}},
                        )
                    ),
                }
            },
            "/tokenizer_info": {"get": _operation("Describe the tokenizer.")},
            "/v1/models/{name}:predict": {
                "post": {
                    **_operation("Run a signature, as TensorFlow Serving does.", 400, 404),
                    "requestBody": _body(_PREDICT),
                },
                "parameters": [name],
            },
            "/v1/models/{name}/metadata": {
                "get": _operation("Return the signatures, as TensorFlow Serving does.", 404),
                "parameters": [name],
            },
            "/v1/models/{name}/versions/{version}": {
                "get": _operation("Return the status of a version.", 404),
                "parameters": [name, version],
            },
            "/v1/models/{name}/versions/{version}:predict": {
                "post": {
                    **_operation("Run a signature of a version.", 400, 404),
                    "requestBody": _body(_PREDICT),
                },
                "parameters": [name, version],
            },
            "/health": {"get": _operation("Return whether the server is ready.", 503)},
            "/metrics": {
                "get": {
                    "summary": "Return figures for Prometheus.",
                    "responses": {"200": {"description": "OK", "content": {"text/plain": {}}}},
                }
            },
        },
    }


def docs_page(document: dict[str, Any]) -> str:
    """Return a page that shows an OpenAPI document, without any script.

    Args:
        document: From `describe`.
    """
    sections = []
    for path, item in document["paths"].items():
        for method in ("get", "post"):
            if method not in item:
                continue
            operation = item[method]
            sections.append(
                f"<h2><b>{method.upper()}</b> {html.escape(path)}</h2>"
                f"<p>{html.escape(operation['summary'])}</p>"
            )
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                sections.append(_table(schema))
    return _PAGE.replace("BODY", "".join(sections))


def _completion_request(limits: Limits) -> dict[str, Any]:
    renamed = {setting: name for name, setting in OPENAI_NAMES.items()}
    settings = {
        renamed.get(control.name, control.name): _schema(control)
        for control in controls_of(SamplingConfig)
    }
    settings["max_tokens"] |= {"minimum": 0, "maximum": limits.max_tokens}
    settings["stop"]["anyOf"] = [{"type": "string"}, _TEXTS]
    settings["logit_bias"]["anyOf"] = [
        {"type": "object", "additionalProperties": {"type": "number"}},
        {"type": "array", "items": {"type": "array"}},
    ]
    settings["logit_bias"]["description"] += " An object holds token ids instead of texts."
    settings["json_schema"]["anyOf"].append({"type": "object"})
    ids = {"type": "array", "items": {"type": "integer", "minimum": 0}}
    return _object(
        [],
        model=_MODEL,
        prompt={
            "anyOf": [{"type": "string"}, _TEXTS, ids, {"type": "array", "items": ids}],
            "description": "A text, token ids, or a list of these.",
        },
        n={
            "type": "integer",
            "minimum": 1,
            "maximum": limits.max_texts,
            "default": 1,
            "description": "Texts per prompt; each has the seed after the previous one's.",
        },
        echo={"type": "boolean", "default": False, "description": "Return the prompt, too."},
        stream={
            "type": "boolean",
            "default": False,
            "description": "Send the text as server-sent events.",
        },
        stream_options=_object([], include_usage={"type": "boolean"}),
        response_format={
            "type": "object",
            "description": 'OpenAI\'s form of json_schema: {"type": "json_schema", '
            '"json_schema": {"schema": ...}}.',
        },
        **settings,
    )


def _schema(control: Control) -> dict[str, Any]:
    """Return the JSON schema of a control."""
    help_text = {"description": f"{control.help} Must be {control.rule}."}
    if isinstance(control, Text):
        return {"anyOf": [{"type": "string"}, {"type": "null"}], **help_text}
    if isinstance(control, Switch):
        return {"type": "boolean", "default": control.default, **help_text}
    if isinstance(control, Texts | Biases):
        return {"anyOf": [_TEXTS], "default": [], **help_text}
    schema: dict[str, Any] = {"type": "number"}
    if isinstance(control, Integer):
        schema = {"type": "integer", "minimum": control.low, "maximum": control.high}
    elif isinstance(control, Number):
        low = "exclusiveMinimum" if control.excludes_low else "minimum"
        schema |= {} if control.low is None else {low: control.low}
        schema |= {} if control.high is None else {"maximum": control.high}
    if control.default is None:
        return {"anyOf": [schema, {"type": "null"}], **help_text}
    return {**schema, "default": control.default, **help_text}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _operation(summary: str, *errors: int, result: str | None = None) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{result}"} if result else {"type": "object"}
    error = {"$ref": "#/components/schemas/Error"}
    return {
        "summary": summary,
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": schema}}},
            **{
                str(status): {
                    "description": "An error.",
                    "content": {"application/json": {"schema": error}},
                }
                for status in (*errors, 401, 403, 413)
            },
        },
    }


def _path_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _table(schema: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{html.escape(name)}</code></td>"
        f"<td>{html.escape(value.get('description', ''))}</td>"
        f"<td>{html.escape(json.dumps(value['default']) if 'default' in value else '')}</td></tr>"
        for name, value in schema.get("properties", {}).items()
    ]
    head = "<tr><th>Field</th><th>Meaning</th><th>Default</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>" if rows else ""


_ERROR = _object(
    ["error"],
    error={
        "anyOf": [
            {"type": "string", "description": "In answers to TensorFlow Serving's requests."},
            _object(["message", "type"], message={"type": "string"}, type={"type": "string"}),
        ]
    },
)
_COMPLETION = _object(
    ["id", "object", "created", "model", "choices", "usage"],
    id={"type": "string"},
    object={"const": "text_completion"},
    created={"type": "integer"},
    model={"type": "string"},
    choices={
        "type": "array",
        "items": _object(
            ["index", "text", "finish_reason"],
            index={"type": "integer"},
            text={"type": "string"},
            finish_reason={"enum": ["stop", "length", None]},
            seed={"type": "integer"},
        ),
    },
    usage={"type": "object"},
)
_PREDICT = _object(
    [],
    signature_name={"type": "string", "default": "serving_default"},
    instances={"type": "array", "description": "Inputs in rows."},
    inputs={"description": "Inputs in columns."},
)
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>textgen API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { font: 600 1.1rem ui-monospace, monospace; margin-top: 2.5rem }
h2 b { color: #8a4b14; margin-right: .5rem }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid #8884 }
</style>
<h1>textgen API</h1>
<p>The description for programs is <a href="/openapi.json">openapi.json</a>.</p>
BODY
</html>
"""

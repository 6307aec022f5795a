"""A request to `/v1/completions`, checked.

The sampling fields are those of `SamplingConfig`, which checks them; only the names that OpenAI
has for them differ.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from textgen.config import SamplingConfig
from textgen.errors import ConfigError
from textgen.serving.http.errors import ApiError
from textgen.serving.http.limits import Limits

# OpenAI's names of settings.
OPENAI_NAMES = {"max_tokens": "max_new_tokens"}
_SETTINGS = {field.name for field in dataclasses.fields(SamplingConfig)}
_MAX_BIAS = 1e6

PromptValue = str | tuple[int, ...]


@dataclass(frozen=True)
class CompletionRequest:
    """What a client asked for.

    Attributes:
        model: Name of the model; `None` for the only or first one.
        prompts: Texts, or token ids.
        num_choices: Texts per prompt.
        config: How to sample.
        token_bias: What to add to the logits of tokens, by id.
        is_empty: Whether to generate nothing, as with `max_tokens` 0.
        echo: Whether to return the prompt before the text.
        stream: Whether to send the text while it is generated.
        include_usage: Whether a stream ends with the usage.
        parse_special: Whether the prompts are rendered templates, with special tokens.
    """

    model: str | None
    prompts: tuple[PromptValue, ...]
    num_choices: int
    config: SamplingConfig
    token_bias: dict[int, float]
    is_empty: bool
    echo: bool
    stream: bool
    include_usage: bool
    parse_special: bool = False


def parse_completion(body: Any, limits: Limits) -> CompletionRequest:
    """Check the JSON of a request.

    Args:
        body: The JSON of the request. Unknown fields are ignored, and so are those that are `null`.
        limits: How much it may ask for.

    Raises:
        ApiError: If it asks for something wrong or too much.
    """
    if not isinstance(body, dict):
        raise ApiError(400, "The body must be a JSON object")
    fields = {name: value for name, value in body.items() if value is not None}
    if fields.get("suffix") not in (None, ""):
        raise _refuse("suffix", "suffix is not supported: the model cannot fill text in")
    most = min(limits.max_texts, limits.max_waiting)
    num_choices = _int(fields, "n", 1, 1, most)
    if fields.get("best_of", 1) not in (1, num_choices):
        raise _refuse("best_of", "best_of is not supported; use n to receive several texts")
    prompts = _prompts(fields.get("prompt", ""), limits)
    if len(prompts) * num_choices > most:
        raise _refuse("n", f"prompts times n must be at most {most}")
    echo = _bool(fields, "echo")
    is_empty = fields.get("max_tokens") == 0 and not isinstance(fields["max_tokens"], bool)
    if is_empty:
        del fields["max_tokens"]
    options = fields.get("stream_options", {})
    if not isinstance(options, dict):
        raise _refuse("stream_options", "stream_options must be an object")
    token_bias: dict[int, float] = {}
    if isinstance(fields.get("logit_bias"), dict):
        token_bias = _token_bias(fields.pop("logit_bias"), limits)
    model = fields.get("model")
    if model is not None and not isinstance(model, str):
        raise _refuse("model", "model must be a string")
    return CompletionRequest(
        model=model,
        prompts=prompts,
        num_choices=num_choices,
        config=_sampling(fields, limits),
        token_bias=token_bias,
        is_empty=is_empty,
        echo=echo,
        stream=_bool(fields, "stream"),
        include_usage=_bool(options, "include_usage"),
    )


def _sampling(fields: dict[str, Any], limits: Limits) -> SamplingConfig:
    names = {OPENAI_NAMES.get(name, name): name for name in fields}
    values = {setting: fields[name] for setting, name in names.items() if setting in _SETTINGS}
    if (schema := _response_schema(fields.get("response_format"))) is not None:
        values["json_schema"] = schema
    if isinstance(values.get("stop"), str):
        values["stop"] = [values["stop"]]
    try:
        config = SamplingConfig(**values)
    except ConfigError as error:
        raise _translate(str(error), names) from None
    except (TypeError, ValueError, OverflowError):
        raise ApiError(400, "A sampling field has the wrong type") from None
    own = names.get("max_new_tokens", "max_tokens")
    _at_most(own, config.max_new_tokens, limits.max_tokens)
    _at_most("logprobs", config.logprobs or 0, limits.max_logprobs)
    _at_most("max_time", config.max_time or 0, limits.max_seconds)
    _at_most("the length of logit_bias", len(config.logit_bias), limits.max_logit_biases)
    for name in ("stop", "banned", "avoid_regex"):
        texts = getattr(config, name)
        _at_most(f"the number of {name} strings", len(texts), limits.max_stop_strings)
        longest = max(map(len, texts), default=0)
        _at_most(f"the length of a {name} string", longest, limits.max_stop_characters)
    for name in ("regex", "acrostic"):
        length = len(getattr(config, name) or "")
        _at_most(f"the length of {name}", length, limits.max_stop_characters)
    characters = len(config.json_schema or "")
    _at_most("the length of json_schema", characters, limits.max_avoid_characters)
    characters = sum(map(len, config.avoid))
    _at_most("the length of avoid", characters, limits.max_avoid_characters)
    return dataclasses.replace(config, max_time=config.max_time or limits.max_seconds)


def _response_schema(value: Any) -> Any:
    """Return the JSON schema of OpenAI's `response_format`, if it has one."""
    if value is None:
        return None
    fields = value if isinstance(value, dict) else {}
    if fields.get("type") == "text":
        return None
    described = fields.get("json_schema") if fields.get("type") == "json_schema" else None
    if not isinstance(described, dict) or not isinstance(described.get("schema"), dict):
        message = (
            'response_format must be {"type": "text"}, or have the type "json_schema" and a '
            '"schema" in its "json_schema"'
        )
        raise _refuse("response_format", message)
    return described["schema"]


def _translate(message: str, names: dict[str, str]) -> ApiError:
    """Return the error of a setting in the words of the request's fields."""
    message = re.sub(r"\w+", lambda word: names.get(word[0], word[0]), message, count=1)
    setting = re.match(r"\w+", message)
    known = setting is not None and setting[0] in {*names.values(), *_SETTINGS}
    return ApiError(400, message, param=setting[0] if known and setting else None)


def _at_most(name: str, value: float, limit: float) -> None:
    if value > limit:
        param = name if " " not in name else None
        raise ApiError(400, f"{name} must be at most {limit:g}. Received: {value}", param=param)


def _prompts(value: Any, limits: Limits) -> tuple[PromptValue, ...]:
    if isinstance(value, str) or (isinstance(value, list) and value and _is_id(value[0])):
        value = [value]
    if not isinstance(value, list) or not value:
        raise _refuse("prompt", "prompt must be a string, token ids, or a list of these")
    return tuple(_prompt(each, limits) for each in value)


def _prompt(value: Any, limits: Limits) -> PromptValue:
    if isinstance(value, str):
        _at_most("the length of prompt", len(value), limits.max_prompt_characters)
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            message = "prompt must be Unicode text without lone surrogates"
            raise _refuse("prompt", message) from None
        return value
    if isinstance(value, list) and all(map(_is_id, value)):
        _at_most("the length of prompt", len(value), limits.max_prompt_characters)
        return tuple(value)
    raise _refuse("prompt", "prompt must be a string, token ids, or a list of these")


def _token_bias(value: dict[str, Any], limits: Limits) -> dict[int, float]:
    """Return OpenAI's `logit_bias`, whose keys are token ids."""
    _at_most("the length of logit_bias", len(value), limits.max_logit_biases)
    biases = {}
    for key, bias in value.items():
        is_number = isinstance(bias, int | float) and not isinstance(bias, bool)
        is_id = re.fullmatch(r"\d{1,9}", key, re.ASCII)
        if not (is_id and is_number and abs(bias) <= _MAX_BIAS):
            message = "logit_bias must map token ids to numbers, or be a list of [text, bias]"
            raise _refuse("logit_bias", message)
        biases[int(key)] = float(bias)
    return biases


def _int(fields: dict[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = fields.get(name, default)
    if not _is_id(value) or not low <= value <= high:
        raise _refuse(name, f"{name} must be an integer in [{low}, {high}]")
    return value


def _bool(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise _refuse(name, f"{name} must be true or false")
    return bool(value)


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _refuse(param: str, message: str) -> ApiError:
    return ApiError(400, message, param=param)

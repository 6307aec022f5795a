"""`/v1/chat/completions`: answers to dialogues, whole or as server-sent events."""

from __future__ import annotations

import dataclasses
from typing import Any

from textgen.errors import ConfigError, GenerationError
from textgen.serving.http.choice import Token, chat_logprobs
from textgen.serving.http.completion_request import CompletionRequest, parse_completion
from textgen.serving.http.completions import Completion
from textgen.serving.http.errors import ApiError
from textgen.serving.http.limits import Limits
from textgen.serving.http.served import ServedModel

# Fields of /v1/completions that a dialogue does not have, or has in another form.
_OWN = ("prompt", "echo", "suffix", "best_of", "logprobs", "top_logprobs")


@dataclasses.dataclass(frozen=True)
class ChatRequest:
    """What a client asked for.

    Attributes:
        messages: The dialogue, unchecked.
        request: Everything else, without a prompt.
    """

    messages: Any
    request: CompletionRequest

    def render(self, name: str, served: ServedModel, limits: Limits) -> CompletionRequest:
        """Return the request with the prompt that the model's template makes of the dialogue.

        Args:
            name: What the client calls the model.
            served: The model.
            limits: How long a prompt may be.

        Raises:
            ApiError: If the model has no template, or the dialogue does not fit it.
        """
        if served.chat is None:
            message = f"The model {name!r} has no chat template; use /v1/completions"
            raise ApiError(400, message, param="messages", code="no_chat_template")
        try:
            prompt = served.chat.prompt(self.messages, self.request.config.max_new_tokens)
        except (ConfigError, GenerationError) as error:
            raise ApiError(400, str(error), param="messages") from None
        if len(prompt) > limits.max_prompt_characters:
            message = f"messages must have at most {limits.max_prompt_characters} characters"
            raise ApiError(400, message, param="messages")
        return dataclasses.replace(self.request, prompts=(prompt,), parse_special=True)


def parse_chat(body: Any, limits: Limits) -> ChatRequest:
    """Check the JSON of a request, except its messages, whose check needs the model.

    Args:
        body: What the JSON says. The fields are those of `/v1/completions`, with `messages` in
            place of `prompt`.
        limits: How much it may ask for.

    Raises:
        ApiError: If it asks for something wrong or too much.
    """
    if not isinstance(body, dict):
        raise ApiError(400, "The body must be a JSON object")
    fields = {name: value for name, value in body.items() if name not in _OWN}
    # The newer name of the same field.
    if (most := fields.pop("max_completion_tokens", None)) is not None:
        fields["max_tokens"] = most
    fields["logprobs"] = _num_logprobs(body)
    return ChatRequest(fields.pop("messages", None), parse_completion(fields, limits))


def _num_logprobs(body: dict[str, Any]) -> Any:
    """Return how many alternatives to report per token; `None` reports no log-probabilities."""
    is_asked, most = body.get("logprobs"), body.get("top_logprobs")
    if is_asked is not None and not isinstance(is_asked, bool):
        raise ApiError(400, "logprobs must be true or false", param="logprobs")
    if is_asked:
        return 0 if most is None else most
    if most is not None:
        raise ApiError(400, "top_logprobs needs logprobs to be true", param="top_logprobs")
    return None


class ChatCompletion(Completion):
    """One request while it is answered; see `Completion`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._header["id"] = f"chat{self._header['id']}"
        self._header["object"] = "chat.completion.chunk"
        self._has_begun: set[int] = set()

    async def whole(self) -> dict[str, Any]:
        """Return the response with all answers; see `Completion.whole`."""
        count = len(self._choices)
        texts = [""] * count
        reasons: list[str | None] = [None] * count
        all_tokens: list[list[Token]] = [[] for _ in range(count)]
        async for index, text, tokens, reason in self._parts():
            texts[index] += text
            all_tokens[index] += tokens
            reasons[index] = reason
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": text},
                "logprobs": self._logprobs(all_tokens[index]),
                "finish_reason": reasons[index],
            }
            for index, text in enumerate(texts)
        ]
        header = {**self._header, "object": "chat.completion"}
        return {**header, "choices": choices, "usage": self._usage()}

    def _choice(
        self, index: int, text: str, tokens: list[Token], reason: str | None
    ) -> dict[str, Any]:
        delta = {"content": text}
        if index not in self._has_begun:
            delta = {"role": "assistant", **delta}
        self._has_begun.add(index)
        logprobs = self._logprobs(tokens)
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}

    def _logprobs(self, tokens: list[Token]) -> dict[str, Any] | None:
        if self._request.config.logprobs is None:
            return None
        names, pieces = self._served.token_names, self._served.tokenizer.pieces
        return {"content": chat_logprobs(tokens, names, pieces), "refusal": None}

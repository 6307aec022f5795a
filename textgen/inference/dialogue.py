"""Answering dialogues: from messages to the tokens of a prompt, and to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.catalog import CHAT_TEMPLATE_PATH, ModelEntry
from textgen.chat_template import ChatTemplate, check_messages
from textgen.config import SamplingConfig
from textgen.errors import ConfigError, ModelDamagedError
from textgen.files import open_plain
from textgen.inference.feeds import merge_settings
from textgen.inference.stream import TextStream
from textgen.tokenizer import ImportedTokenizer

if TYPE_CHECKING:
    from textgen.inference.text_generator import TextGenerator

_MAX_TEMPLATE_BYTES = 1 << 18


class Chat:
    """A loaded model that answers dialogues.

    Args:
        generator: The model.

    Raises:
        ConfigError: If the model has no chat template.
        ModelDamagedError: If its template is damaged.

    Attributes:
        template: The chat template, in Jinja's language.

    Example:
        >>> with load("smollm2") as model, Chat(model) as chat:
        ...     "".join(chat.answer([{"role": "user", "content": "Hello"}]))
        'Hello! How can I help you today?'
    """

    def __init__(self, generator: TextGenerator) -> None:
        self._generator = generator
        self._tokenizer = generator.tokenizer
        self._parses_special = isinstance(generator.tokenizer, ImportedTokenizer)
        self._context_length = generator.card.model.context_length
        texts, special = self._tokenizer.special_texts, self._tokenizer.special
        self._bos, eos = (texts.get(token, "") for token in (special.bos, special.eos))
        self.template = read_template(generator.entry)
        self._template = ChatTemplate(self.template, self._bos, eos)

    def __enter__(self) -> Chat:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free what the template needs, but not the model."""
        self._template.close()

    def answer(
        self,
        messages: Sequence[Mapping[str, str]],
        config: SamplingConfig | None = None,
        **settings: Any,
    ) -> TextStream:
        """Answer the last message of a dialogue, and yield the answer in chunks.

        Args:
            messages: Each with a `role`, `system`, `user` or `assistant`, and a `content`. What
                they contain is text: a special token's name in it does not end a turn. If the
                dialogue is too long for the model, its oldest turns are left out.
            config: How to sample. Defaults to `SamplingConfig()`.
            **settings: Fields of `SamplingConfig`, which replace those of `config`.

        Returns:
            An iterator over chunks, as from `TextGenerator.stream`.

        Raises:
            ConfigError: If a message has another form, or a setting is outside its range.
            GenerationError: If the template takes too long.
        """
        merged = merge_settings(config, settings, SamplingConfig)
        prompt = self.prompt(messages, merged.max_new_tokens)
        return self._generator.stream(prompt, merged, parse_special=self._parses_special)

    def prompt(self, messages: Sequence[Mapping[str, str]], max_new_tokens: int) -> str:
        """Return the prompt that asks for the assistant's next message.

        The oldest turns are left out if the dialogue is too long. The system's message stays.

        Args:
            messages: The dialogue.
            max_new_tokens: Tokens to leave room for, at most half of the context.

        Returns:
            A text in which special tokens are to be parsed.

        Raises:
            ConfigError: If a message has another form, or the last one alone is too long.
            GenerationError: If the template takes too long.
        """
        check_messages(messages)
        room = self._context_length - min(max_new_tokens, self._context_length // 2)
        tokenizer = self._tokenizer
        protect = tokenizer.protect if isinstance(tokenizer, ImportedTokenizer) else str
        protected = [{**each, "content": protect(each["content"])} for each in messages]
        is_system = messages[0]["role"] == "system"
        first, turns = protected[:is_system], protected[is_system:]
        while True:
            prompt = self._template.render([*first, *turns])
            # The graph puts this token before every prompt.
            prompt = prompt.removeprefix(self._bos)
            size = 1 + len(self._encode(prompt))
            if size <= room:
                return prompt
            # A turn begins with the user.
            starts = [i for i, each in enumerate(turns) if i and each["role"] == "user"]
            if not starts:
                raise ConfigError(
                    f"The last message must leave room for an answer: {room} tokens of the "
                    f"model's {self._context_length}. Received: {size} tokens"
                )
            turns = turns[starts[0] :]

    def _encode(self, prompt: str) -> np.ndarray:
        if isinstance(self._tokenizer, ImportedTokenizer):
            return self._tokenizer.encode_with_special(prompt)
        return self._tokenizer.encode(prompt)


def read_template(entry: ModelEntry) -> str:
    """Return a model's chat template.

    Raises:
        ConfigError: If it has none.
        ModelDamagedError: If it cannot be read.
    """
    path = entry.path / CHAT_TEMPLATE_PATH
    try:
        with open_plain(path) as file:
            content = file.read(_MAX_TEMPLATE_BYTES + 1)
        if len(content) > _MAX_TEMPLATE_BYTES:
            raise ValueError("it is too large")
        return content.decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"The model {entry.name!r} has no chat template, so it cannot answer a dialogue."
        ) from None
    except (OSError, ValueError) as error:
        raise ModelDamagedError(f"{path}: the chat template is damaged ({error}).") from error

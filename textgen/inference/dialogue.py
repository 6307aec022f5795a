"""Answer dialogues: turn messages into a prompt, and generate the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.chat_template import check_messages
from textgen.config import SamplingConfig
from textgen.errors import ConfigError
from textgen.inference.feeds import merge_settings
from textgen.inference.prompts import read_template
from textgen.inference.stream import TextStream
from textgen.prompt_template import PromptTemplate
from textgen.tokenizer import ImportedTokenizer

if TYPE_CHECKING:
    from textgen.inference.text_generator import TextGenerator


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
        self.template = read_template(generator.entry)
        self._template = PromptTemplate(self.template, self._tokenizer)

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
        return self._generator.stream(prompt, merged, raw=True, parse_special=self._parses_special)

    def prompt(self, messages: Sequence[Mapping[str, str]], max_new_tokens: int) -> str:
        """Return the prompt that asks for the assistant's next message.

        The oldest turns are left out if the dialogue is too long. The system message stays.

        Args:
            messages: The dialogue.
            max_new_tokens: Tokens to leave room for, at most a quarter of the context.

        Returns:
            A text in which special tokens are to be parsed.

        Raises:
            ConfigError: If a message has another form, or the last one alone is too long.
            GenerationError: If the template takes too long.
        """
        check_messages(messages)
        room = self._context_length - min(max_new_tokens, self._context_length // 4)
        is_system = messages[0]["role"] == "system"
        first, turns = messages[:is_system], messages[is_system:]
        while True:
            prompt = self._template.render([*first, *turns])
            size = 1 + len(self._encode(prompt))
            if size <= room:
                return prompt
            # A turn begins with the user.
            starts = [i for i, each in enumerate(turns) if i and each["role"] == "user"]
            if not starts:
                raise ConfigError(
                    f"The last message must leave room for an answer, so it may have {room} of the "
                    f"model's {self._context_length} tokens. Received: {size} tokens"
                )
            turns = turns[starts[0] :]

    def _encode(self, prompt: str) -> np.ndarray:
        if isinstance(self._tokenizer, ImportedTokenizer):
            return self._tokenizer.encode_with_special(prompt)
        return self._tokenizer.encode(prompt)

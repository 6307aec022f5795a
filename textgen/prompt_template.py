"""Render the messages of a dialogue as a prompt for a model's tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from textgen.chat_template import ChatTemplate
from textgen.errors import ConfigError
from textgen.tokenizer import ImportedTokenizer, Tokenizer

# For models without another template: "# " begins the system message, "> " what the user says.
PLAIN_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ {'system': '# ', 'user': '> ', 'assistant': ''}[message.role] }}{{ message.content }}"
    "{{ '\\n' }}"
    "{%- endfor -%}"
)
_PROBE = "What is it?"


class PromptTemplate:
    """A template whose special tokens are those of a tokenizer.

    Args:
        source: The template, in Jinja's language.
        tokenizer: The model's. Only a published one has special tokens that a template can name.
            `None` if it is not learned yet.

    Example:
        >>> with PromptTemplate(PLAIN_TEMPLATE) as template:
        ...     template.render([{"role": "user", "content": "Hello"}])
        '> Hello\n'
    """

    def __init__(self, source: str, tokenizer: Tokenizer | None = None) -> None:
        self._source = source
        self._protect: Callable[[str], str] = str
        self._bos = eos = ""
        if isinstance(tokenizer, ImportedTokenizer):
            self._protect = tokenizer.protect
            texts, special = tokenizer.special_texts, tokenizer.special
            self._bos, eos = (texts.get(token, "") for token in (special.bos, special.eos))
        self._template = ChatTemplate(source, self._bos, eos)

    def __enter__(self) -> PromptTemplate:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that renders."""
        self._template.close()

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return the prompt that asks for the assistant's next message.

        Args:
            messages: Each with a `role`, `system`, `user` or `assistant`, and a `content`, which
                is text: a special token's name in it is not that token.

        Returns:
            A text without the BOS token, which is put before every prompt anyway. If the tokenizer
            is a published one, texts of special tokens in it are to be parsed.

        Raises:
            ConfigError: If a message has another form, or the template refuses the dialogue.
            GenerationError: If the template takes too long, or too much memory.
        """
        protected = [{**each, "content": self._protect(each["content"])} for each in messages]
        return self._template.render(protected).removeprefix(self._bos)

    def check(self) -> None:
        """Check that a rendered template contains the prompt.

        Raises:
            ConfigError: If it does not, or is not valid.
            GenerationError: If it takes too long, or too much memory.
        """
        if _PROBE not in self.render([{"role": "user", "content": _PROBE}]):
            raise ConfigError(
                "template must contain the prompt, as {{ prompt }} or by its messages. "
                f"Received: {self._source!r:.200}"
            )

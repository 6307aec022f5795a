r"""Rows with a prompt: what the model is given, and what it learns to answer.

    {"question": "What is it?", "answer": "A tiger."}   one exchange
    {"messages": [...]}                                 an exchange for every answer
    {"style": "poem", "text": "Tyger, tyger"}           one exchange, whose prompt is the label

A document is the exchanges of one row, with a mark between their parts:

    "> What is it?\n" MARK "A tiger."
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from textgen.chat_template import check_messages
from textgen.config import CorpusConfig
from textgen.corpus.bad_rows import BadRows
from textgen.corpus.cleaning import clean
from textgen.corpus.editing import Editor
from textgen.corpus.json_rows import Dialogue
from textgen.errors import ConfigError, CorpusError
from textgen.unicode import encode_unicode, to_plain_text

# Ends every prompt, and every answer but the last. No text holds it, because it is a lone
# surrogate; Python decodes the byte 0xFE to it, which UTF-8 never uses.
MARK = "\udcfe"
MARK_BYTE = b"\xfe"
# More are hardly labels. Each is scored when a text is classified.
_MAX_LABELS = 1000

Render = Callable[[Sequence[Mapping[str, str]]], str]


class Exchange(NamedTuple):
    """A prompt as the model sees it, and the answer that it learns."""

    prompt: str
    answer: str


def to_exchanges(document: str) -> list[Exchange]:
    r"""Return the exchanges of a document. Without a mark, it is the answer to no prompt.

    Example:
        >>> to_exchanges(f"> What is it?\n{MARK}A tiger.")
        [Exchange(prompt='> What is it?\n', answer='A tiger.')]
    """
    parts = document.split(MARK)
    if len(parts) == 1:
        return [Exchange("", document)]
    return [Exchange(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]


def without_template(messages: Sequence[Mapping[str, str]]) -> str:
    """Render a dialogue without a template: its messages, one per line."""
    return "".join(f"{message['content']}\n" for message in messages)


class ExchangeMaker:
    """Makes documents of rows with a prompt.

    Args:
        config: How the corpus is read and cleaned.
        editor: Replaces personal data.
        render: Puts a dialogue into the form in which the model sees it. If `None`, documents are
            ordinary texts: the messages of a dialogue, a prompt with its answer.
    """

    def __init__(self, config: CorpusConfig, editor: Editor, render: Render | None = None) -> None:
        self._config = config
        self._editor = editor
        self._render = render
        self._label_prompts: dict[str, str] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all rows, in the order of their first appearance."""
        return tuple(self._label_prompts)

    def answered(self, prompt: str, answer: str) -> str | None:
        """Return the document of a prompt and its answer; `None` if the answer is blank."""
        return self._join([(self._prompt([{"role": "user", "content": prompt}]), answer)])

    def labeled(self, label: str, text: str) -> str | None:
        """Return the document of a labeled text that is cleaned; `None` if the text is blank.

        Raises:
            CorpusError: If there are too many labels.
        """
        label = label.strip()
        if label not in self._label_prompts:
            if len(self._label_prompts) == _MAX_LABELS:
                raise CorpusError(
                    f"A corpus must have at most {_MAX_LABELS:,} labels. Received: more, such as "
                    f"{label!r:.40}; is this the column of the labels?"
                )
            self._label_prompts[label] = self._prompt([{"role": "user", "content": label}])
        return self._document([(self._label_prompts[label], text)])

    def talked(self, dialogue: Dialogue, bad_rows: BadRows) -> str | None:
        """Return the document of a dialogue; `None` if it is rejected, or all answers are blank.

        Every message of the assistant is the answer to all messages before it.
        """
        messages = dialogue.messages
        try:
            check_messages(messages)
            assert isinstance(messages, Sequence)
            for message in messages:
                # JSON can spell what is no text.
                encode_unicode(message["content"], ConfigError, subject="A message")
            exchanges = [
                (self._prompt(messages[:index]), message["content"])
                for index, message in enumerate(messages)
                if message["role"] == "assistant"
            ]
            if not exchanges:
                raise ConfigError("A dialogue must have a message of the assistant")
        except ConfigError as error:
            bad_rows.reject(dialogue.where, f": {error!s:.300}.")
            return None
        return self._join(exchanges)

    def clean(self, text: str) -> str:
        """Return a text as the model sees it."""
        return clean(self._editor.redact(text), self._config)

    def _prompt(self, messages: Sequence[Mapping[str, str]]) -> str:
        # Cleaned once rendered, because that is the order in which a prompt is cleaned later.
        redact = self._editor.redact
        plain = [
            {"role": m["role"], "content": redact(to_plain_text(m["content"]))} for m in messages
        ]
        render = without_template if self._render is None else self._render
        return clean(render(plain), self._config)

    def _join(self, exchanges: Iterable[tuple[str, str]]) -> str | None:
        return self._document([(prompt, self.clean(answer)) for prompt, answer in exchanges])

    def _document(self, exchanges: Sequence[tuple[str, str]]) -> str | None:
        """Return the document of cleaned exchanges; `None` if all answers are blank."""
        kept = [pair for pair in exchanges if pair[1].strip()]
        if not kept:
            return None
        # The last prompt of a dialogue has all that was said before.
        return "".join(kept[-1]) if self._render is None else MARK.join(map(MARK.join, kept))

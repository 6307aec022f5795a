"""Turn what a caller asks into the prompt that a model continues.

If a model learned to answer prompts, its template is put around the prompt, as in training. If it
learned texts under labels, it gets the label, then the beginning of the text. All other models
continue a prompt as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from textgen.catalog import CHAT_TEMPLATE_PATH, ModelEntry
from textgen.checks import is_text
from textgen.errors import ConfigError, ModelDamagedError
from textgen.files import open_plain
from textgen.prompt_template import PromptTemplate
from textgen.tokenizer import ImportedTokenizer, Tokenizer

_MAX_TEMPLATE_BYTES = 1 << 18


class PromptMaker:
    """Makes the prompts that a model continues.

    Args:
        entry: The model.
        tokenizer: The model's tokenizer.

    Attributes:
        labels: The labels that the model learned; empty if there are none.
        answers: Whether the model learned to answer prompts, not to continue them.
    """

    def __init__(self, entry: ModelEntry, tokenizer: Tokenizer) -> None:
        corpus = entry.card.corpus
        facts = corpus.other if corpus is not None else {}
        labels = facts.get("labels")
        self.labels = tuple(filter(is_text, labels)) if isinstance(labels, list) else ()
        self.answers = facts.get("has_prompts") is True and not self.labels
        self._entry = entry
        self._tokenizer = tokenizer
        self._label_prompts: dict[str, str] = {}

    @cached_property
    def _template(self) -> PromptTemplate:
        return PromptTemplate(read_template(self._entry), self._tokenizer)

    def close(self) -> None:
        """End the process that renders, if there is one."""
        if "_template" in self.__dict__:
            self._template.close()

    def __call__(
        self, prompts: Sequence[str], label: str | None = None, raw: bool = False
    ) -> tuple[list[str], bool]:
        """Return the prompts that the model continues.

        Args:
            prompts: What the caller asks, or how the texts begin.
            label: The label of the texts.
            raw: Whether to continue the prompts as they are.

        Returns:
            The prompts, and whether texts of special tokens in them are to be parsed.

        Raises:
            ConfigError: If the model does not have the label, or the template refuses a prompt.
            GenerationError: If the template takes too long.
        """
        if label is not None and (raw or not self.labels):
            reason = "raw" if self.labels else "a model that was trained with labels"
            rule = f"cannot be combined with {reason}" if raw else f"needs {reason}"
            raise ConfigError(f"label {rule}. Received: {label!r}")
        if raw or not (self.answers or self.labels):
            return list(prompts), False
        is_special = isinstance(self._tokenizer, ImportedTokenizer)
        if self.answers:
            return [self._render(prompt) for prompt in prompts], is_special
        if label is None or label not in self.labels:
            raise ConfigError(f"label must be one of {_listed(self.labels)}. Received: {label!r}")
        if label not in self._label_prompts:
            self._label_prompts[label] = self._render(label)
        protect = self._tokenizer.protect if isinstance(self._tokenizer, ImportedTokenizer) else str
        return [self._label_prompts[label] + protect(prompt) for prompt in prompts], is_special

    def _render(self, text: str) -> str:
        return self._template.render([{"role": "user", "content": text}])


def _listed(labels: Sequence[str]) -> str:
    """Return the first labels, for a message."""
    shown = ", ".join(map(repr, labels[:10]))
    return shown if len(labels) <= 10 else f"{shown} and {len(labels) - 10} more"


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

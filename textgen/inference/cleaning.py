"""Prompts and texts in the form in which a model learned its corpus."""

from __future__ import annotations

from textgen.catalog import CARD_PATH, ModelEntry
from textgen.config import CorpusConfig
from textgen.errors import ConfigError, ModelDamagedError, TokenizerError
from textgen.tokenizer import Tokenizer
from textgen.unicode import encode_unicode, to_plain_text


class TextCleaner:
    """Cleans texts as a model's corpus was cleaned.

    Args:
        entry: The model.
        tokenizer: The model's tokenizer.

    Raises:
        ModelDamagedError: If the model's card does not say how.
    """

    def __init__(self, entry: ModelEntry, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        try:
            # An imported model takes texts as they are.
            corpus = entry.card.corpus
            self._config = CorpusConfig.from_dict(corpus.config if corpus else {})
        except (KeyError, TypeError, ConfigError) as error:
            raise ModelDamagedError(
                f"{entry.path}: the corpus settings in {CARD_PATH} are damaged ({error!r})."
            ) from error

    def __call__(self, text: str) -> str:
        """Return a text with the line ends and the cleaning that the corpus had."""
        if not self._config.cleans:
            return self._tokenizer.normalize(to_plain_text(text))
        from textgen.corpus import clean  # importing it takes as long as generating 100 tokens

        return clean(text, self._config)

    def checked(self, text: str) -> str:
        """Return a text as the model sees it.

        Raises:
            ConfigError: If it is no string.
            TokenizerError: If it is not Unicode text.
        """
        if not isinstance(text, str):
            raise ConfigError(f"A prompt or a text must be a string. Received: {text!r}")
        text = self(text)
        encode_unicode(text, TokenizerError)  # raises unless the text is Unicode
        return text

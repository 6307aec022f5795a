"""The settings of a training run as a whole."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from textgen.checks import check, check_choice, check_int_in, check_positive_int
from textgen.config.corpus import CorpusConfig
from textgen.config.training import TrainingConfig
from textgen.models.config import ModelConfig
from textgen.record import Record

# At least the 3 special tokens and the 256 bytes. At most more than any model has: `tokenizers`
# reserves memory for all before it learns one, 70 bytes each, and aborts where there is none.
_FEWEST_TOKENS, _MOST_TOKENS = 259, 2**20


def check_vocab_size(vocab_size: int) -> None:
    """Check the number of tokens of byte pairs.

    Raises:
        ConfigError: it is outside its range.
    """
    check_int_in("vocab_size", vocab_size, _FEWEST_TOKENS, _MOST_TOKENS)


@dataclasses.dataclass(frozen=True)
class RunConfig(Record):
    """Everything a training run was asked to do.

    Attributes:
        corpus: how text files become documents.
        model: the shape of the model.
        training: how it is trained.
        tokenizer: `"character"`, `"bpe"` (byte pairs), or `"auto"`: what suits
            the model's family and the corpus.
        vocab_size: tokens of byte pairs at most, 259 to 1,048,576; by the size of the corpus
            where `None`.
        min_count: characters seen less often become the unknown token; byte pairs know all.
    """

    corpus: CorpusConfig = dataclasses.field(default_factory=CorpusConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    tokenizer: Literal["auto", "character", "bpe"] = "auto"
    vocab_size: int | None = None
    min_count: int = 1

    def __post_init__(self) -> None:
        check_positive_int(self, "min_count")
        check_choice(self, "tokenizer", ("auto", "character", "bpe"))
        if self.vocab_size is not None:
            check_vocab_size(self.vocab_size)
            fits = self.tokenizer == "bpe"
            check(fits, "vocab_size needs the tokenizer bpe", self.tokenizer)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunConfig:
        """Build the config from `to_dict`'s result.

        Raises:
            ConfigError: a name is unknown or a value is outside its range.
        """
        parts: dict[str, Any] = {
            "corpus": CorpusConfig,
            "model": ModelConfig,
            "training": TrainingConfig,
        }
        built = {name: part.from_dict(values.get(name, {})) for name, part in parts.items()}
        return super().from_dict({**values, **built})

"""Reading a tokenizer from its file."""

from __future__ import annotations

from pathlib import Path

from textgen.errors import TokenizerError
from textgen.files import read_json
from textgen.tokenizer.byte_pair import BytePairTokenizer
from textgen.tokenizer.character import CharacterTokenizer
from textgen.tokenizer.published import PublishedTokenizer
from textgen.tokenizer.sentence_piece import SentencePieceTokenizer
from textgen.tokenizer.tokenizer import Tokenizer

_TOKENIZERS = (CharacterTokenizer, BytePairTokenizer, PublishedTokenizer, SentencePieceTokenizer)
_KINDS = {tokenizer.kind: tokenizer for tokenizer in _TOKENIZERS}


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer written by `Tokenizer.save`.

    Raises:
        TokenizerError: If the file is missing or damaged, or its kind is unknown.

    Example:
        >>> load_tokenizer(Path("saved_models/mine/1/assets.extra/tokenizer.json")).kind
        'bpe'
    """
    try:
        values = read_json(path)
        if tokenizer := _KINDS.get(values["kind"]):
            return tokenizer.from_dict(values)
    except FileNotFoundError:
        raise TokenizerError(f"{path}: there is no tokenizer file.") from None
    except (ValueError, KeyError, TypeError, OSError, TokenizerError) as error:
        raise TokenizerError(f"{path}: the tokenizer file is damaged ({error}).") from error
    raise TokenizerError(f"{path}: unknown kind of tokenizer {values['kind']!r}.")

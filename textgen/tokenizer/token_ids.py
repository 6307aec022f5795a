"""Token ids of the tokenizers that textgen learns: special tokens, then bytes, then merges.

Other modules ask the tokenizer (`tokenizer.special.eos`), because an imported vocabulary may
number its tokens differently.
"""

from __future__ import annotations

from typing import NamedTuple


class SpecialTokens(NamedTuple):
    """The ids of the tokens that stand for no text.

    Attributes:
        unknown: Stands for every character that has no token, and fills rows. Never sampled,
            unless it is EOS too: a published vocabulary has no unknown token.
        bos: Begins a document. Never sampled.
        eos: Ends a document, and so ends a generated text.

    Example:
        >>> CharacterTokenizer.learn(["ab"]).special.eos
        2
    """

    unknown: int
    bos: int
    eos: int

    @property
    def own_unknown(self) -> int | None:
        """The id that stands for unknown characters alone; `None` if no token does."""
        return None if self.unknown in (self.bos, self.eos) else self.unknown


SPECIAL = SpecialTokens(unknown=0, bos=1, eos=2)
# Their names in tokenizer.json.
SPECIAL_NAMES = ("<unknown>", "<start>", "<end>")

# Byte-level BPE numbers the 256 bytes, then the merges in the order in which they were learned.
FIRST_BYTE = len(SPECIAL)
FIRST_MERGE = FIRST_BYTE + 256

# Keeps a text from being a special token where these are wanted: "<\ufdd0|im_end|>" is what a
# person typed. Unicode gives this character to no text.
TEXT_MARK = "\ufdd0"

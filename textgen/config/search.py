"""Settings of searching for a text instead of drawing it."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from textgen.config.checks import check, check_share, check_whole_in, is_number
from textgen.config.writing import WritingRecord


@dataclasses.dataclass(frozen=True)
class BeamSearchConfig(WritingRecord):
    """How beam search writes; `textgen.generation.beam_search` has the rules.

    Attributes:
        max_new_tokens: tokens to write at most.
        num_beams: texts that are followed side by side, 1 to `MAX_BEAMS`.
        length_penalty: a text's score is its logarithmic probability divided by its length to
            this power, -5 to 5: more favours long texts, 0 takes the likeliest.
        stop: a text ends with the first of these strings to appear in it.
        banned: characters that are never written.
    """

    max_new_tokens: int = 200
    num_beams: int = 4
    length_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    banned: tuple[str, ...] = ()

    MAX_BEAMS: ClassVar[int] = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_in(self, "num_beams", 1, self.MAX_BEAMS)
        fits = is_number(self.length_penalty) and abs(self.length_penalty) <= 5
        check(fits, "length_penalty must be in [-5, 5]", self.length_penalty)


@dataclasses.dataclass(frozen=True)
class ContrastiveSearchConfig(WritingRecord):
    """How contrastive search writes; `textgen.generation.contrastive_search` has the rules.

    Attributes:
        max_new_tokens: tokens to write at most.
        penalty_alpha: how much a token's likeness to those before it counts, against its
            probability; 0 is greedy.
        top_k: so many of the likeliest tokens are candidates, 1 to `MAX_CANDIDATES`.
        stop: the text ends with the first of these strings to appear in it.
        banned: characters that are never written.
    """

    max_new_tokens: int = 200
    penalty_alpha: float = 0.6
    top_k: int = 4
    stop: tuple[str, ...] = ()
    banned: tuple[str, ...] = ()

    MAX_CANDIDATES: ClassVar[int] = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(self, "penalty_alpha")
        check_whole_in(self, "top_k", 1, self.MAX_CANDIDATES)

"""Settings of searching for a text instead of drawing it."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from textgen.config.checks import check, check_share, check_texts, check_whole, is_int, is_number
from textgen.config.record import Record


@dataclasses.dataclass(frozen=True)
class BeamSearchConfig(Record):
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
        check_whole(self, "max_new_tokens", 1)
        fits = is_int(self.num_beams) and 1 <= self.num_beams <= self.MAX_BEAMS
        check(fits, f"num_beams must be a whole number in [1, {self.MAX_BEAMS}]", self.num_beams)
        fits = is_number(self.length_penalty) and abs(self.length_penalty) <= 5
        check(fits, "length_penalty must be in [-5, 5]", self.length_penalty)
        for name in ("stop", "banned"):
            check_texts(self, name)


@dataclasses.dataclass(frozen=True)
class ContrastiveSearchConfig(Record):
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
        check_whole(self, "max_new_tokens", 1)
        check_share(self, "penalty_alpha")
        fits = is_int(self.top_k) and 1 <= self.top_k <= self.MAX_CANDIDATES
        check(fits, f"top_k must be a whole number in [1, {self.MAX_CANDIDATES}]", self.top_k)
        for name in ("stop", "banned"):
            check_texts(self, name)

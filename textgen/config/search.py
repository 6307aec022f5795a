"""Settings of both searches: one row per control, in the order of the constructor."""

from __future__ import annotations

import dataclasses

from textgen.config.controls import ControlRecord, Integer, Number, Stage, documented, row
from textgen.config.shared_controls import BANNED, MAX_NEW_TOKENS, STOP


@documented
@dataclasses.dataclass(frozen=True)
class BeamSearchConfig(ControlRecord):
    """How to search for a likely text with several beams.

    `textgen.generation.beam_search` has the rules.

    Example:
        >>> search = textgen.BeamSearchConfig(max_new_tokens=5, num_beams=3)
        >>> model.search("Once", search).num_tokens
        5
    """

    max_new_tokens: int = row(MAX_NEW_TOKENS)
    num_beams: int = row(
        Integer(
            default=4,
            low=1,
            high=64,
            clamp=(1, 64),
            stage=Stage.SEARCH,
            help="Number of texts that beam search follows side by side.",
        )
    )
    length_penalty: float = row(
        Number(
            default=1.0,
            low=-5,
            high=5,
            clamp=(-5, 5),
            off=0,
            stage=Stage.SEARCH,
            help="Exponent of the length that divides a text's log-probability: above 0 favors "
            "long texts, below 0 short ones.",
        )
    )
    stop: tuple[str, ...] = row(STOP)
    banned: tuple[str, ...] = row(BANNED)


@documented
@dataclasses.dataclass(frozen=True)
class ContrastiveSearchConfig(ControlRecord):
    """How to generate likely text that does not repeat itself.

    `textgen.generation.contrastive_search` has the rules.

    Example:
        >>> search = textgen.ContrastiveSearchConfig(max_new_tokens=5, penalty_alpha=0.5)
        >>> model.search("Once", search).num_tokens
        5
    """

    max_new_tokens: int = row(MAX_NEW_TOKENS)
    penalty_alpha: float = row(
        Number(
            default=0.6,
            low=0,
            high=1,
            clamp=(0, 1),
            off=0,
            stage=Stage.SEARCH,
            help="Weight of a token's similarity to earlier ones against its probability; 0 is "
            "greedy.",
        )
    )
    top_k: int = row(
        Integer(
            default=4,
            low=1,
            high=64,
            clamp=(1, 64),
            stage=Stage.SEARCH,
            help="Number of most likely tokens to choose from.",
        )
    )
    stop: tuple[str, ...] = row(STOP)
    banned: tuple[str, ...] = row(BANNED)

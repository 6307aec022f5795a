"""Settings of drawing a text."""

from __future__ import annotations

import dataclasses
from typing import Any

from textgen.config.checks import (
    check,
    check_finite,
    check_share,
    check_whole,
    is_int,
    is_number,
    is_text,
)
from textgen.config.writing import WritingRecord


@dataclasses.dataclass(frozen=True)
class SamplingConfig(WritingRecord):
    """How text is drawn from a model; `textgen.sampling` has the formulas.

    Attributes:
        max_new_tokens: tokens to write at most.
        min_new_tokens: tokens to write before the text may end.
        max_time: seconds to write at most, looked at every 32 tokens; `None` sets no limit.
        temperature: divides the logits; 0 always takes the likeliest token.
        top_k: keep the k likeliest tokens; 0 keeps all.
        top_p: keep the smallest set of tokens whose probability reaches p; 1 keeps all.
        min_p: keep tokens at least p times as likely as the likeliest; 0 keeps all.
        typical_p: keep the most typical tokens whose probability reaches p; 1 keeps all.
        repetition_penalty: divides what makes a token seen before likely; 1 is none.
        presence_penalty: subtracted from the logits of tokens seen before.
        frequency_penalty: subtracted for each time a token was seen.
        repeat_last_n: newest tokens of prompt and text that count as seen before, for the
            penalties, no_repeat_ngram_size and DRY; -1, the most, is the context length.
        no_repeat_ngram_size: never write so many tokens twice in the same order; 0 is off.
        dry_multiplier: strength of DRY, which penalizes going on with a repetition; 0 is off.
        dry_base: how fast that penalty grows with the length of the repetition.
        dry_allowed_length: repetitions up to this length are free.
        xtc_probability: how often XTC excludes all likely tokens but the last; 0 is off.
        xtc_threshold: the probability from which a token is likely, for XTC.
        mirostat_tau: surprise in bits a token that Mirostat aims at; 0 is off. Where it is
            on, no other choice but the temperature's applies.
        mirostat_eta: how fast Mirostat learns.
        seed: the draw is a pure function of this and the token's index in the text;
            `None` takes a fresh one.
        stop: the text ends with the first of these strings to appear in it.
        banned: characters that are never written. Byte pairs may still spell one that is not
            ASCII byte by byte, where the corpus has taught them to.
        logit_bias: text and what to add to the logits of its tokens, in pairs.
        logprobs: how many alternatives to report beside each token's own logarithmic
            probability; `None` reports neither.
    """

    max_new_tokens: int = 200
    min_new_tokens: int = 0
    max_time: float | None = None
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repeat_last_n: int = -1
    no_repeat_ngram_size: int = 0
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    mirostat_tau: float = 0.0
    mirostat_eta: float = 0.1
    seed: int | None = None
    stop: tuple[str, ...] = ()
    banned: tuple[str, ...] = ()
    logit_bias: tuple[tuple[str, float], ...] = ()
    logprobs: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("min_new_tokens", "top_k", "no_repeat_ngram_size", "dry_allowed_length"):
            check_whole(self, name, 0)
        check_whole(self, "repeat_last_n", -1)
        fits = self.min_new_tokens <= self.max_new_tokens
        check(fits, "min_new_tokens must be at most max_new_tokens", self.min_new_tokens)
        for name in ("temperature", "dry_multiplier", "mirostat_tau", "mirostat_eta"):
            check_finite(self, name, 0)
        check_finite(self, "repetition_penalty", 0, above=True)
        check_finite(self, "dry_base", 1)
        for name in ("presence_penalty", "frequency_penalty"):
            check(is_number(getattr(self, name)), f"{name} must be a number", getattr(self, name))
        for name in ("min_p", "xtc_probability", "xtc_threshold"):
            check_share(self, name)
        for name in ("top_p", "typical_p"):
            check_share(self, name, above=True)
        if self.max_time is not None:
            check_finite(self, "max_time", 0, above=True)
        fits = self.seed is None or (is_int(self.seed) and 0 <= self.seed < 2**63)
        check(fits, "seed must be a whole number in [0, 2**63)", self.seed)
        if self.logprobs is not None:
            check_whole(self, "logprobs", 0)
        self._check_logit_bias()

    def _check_logit_bias(self) -> None:
        given: Any = self.logit_bias
        pairs = given.items() if isinstance(given, dict) else given
        try:
            values = tuple((text, bias) for text, bias in pairs)
        except (TypeError, ValueError):
            values = (("", None),)
        fits = all(is_text(text) and is_number(bias) for text, bias in values)
        check(fits, "logit_bias must pair non-empty strings with numbers", given)
        object.__setattr__(self, "logit_bias", values)

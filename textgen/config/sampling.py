"""Settings of sampling: one row per control, in the order of the constructor."""

from __future__ import annotations

import dataclasses

from textgen.checks import check
from textgen.config import constraint_controls
from textgen.config.controls import (
    FLOAT32_MAX,
    INT32_MAX,
    LARGE,
    Biases,
    ControlRecord,
    Integer,
    Number,
    Seed,
    Stage,
    documented,
    row,
)
from textgen.config.shared_controls import BANNED, MAX_NEW_TOKENS, STOP


@documented
@dataclasses.dataclass(frozen=True)
class SamplingConfig(ControlRecord):
    """How to sample text from a model.

    `textgen.sampling` has the formulas.

    Example:
        >>> textgen.SamplingConfig(temperature=0.7, stop=["\\n\\n"]).stop
        ('\\n\\n',)
    """

    max_new_tokens: int = row(MAX_NEW_TOKENS)
    min_new_tokens: int = row(
        Integer(
            default=0,
            low=0,
            off=0,
            stage=Stage.END,
            help="Minimum number of tokens before the text may end.",
        )
    )
    max_time: float | None = row(
        Number(
            default=None,
            low=0,
            excludes_low=True,
            absent=0.0,
            stage=Stage.END,
            help="Time limit in seconds, prompt included, checked every 32 new tokens; at least "
            "one is generated.",
        )
    )
    temperature: float = row(
        Number(
            default=0.8,
            low=0,
            off=1,
            clamp=(1e-6, FLOAT32_MAX),
            invalid=0,
            is_positive=True,
            stage=Stage.TEMPERATURE,
            help="Divides the logits: below 1 safer, above 1 more surprising; 0 always takes the "
            "most likely token.",
            warmup=0.9,
        )
    )
    top_k: int = row(
        Integer(
            default=0,
            low=0,
            off=0,
            clamp=(0, INT32_MAX),
            stage=Stage.TRUNCATION,
            help="Keep the K most likely tokens; 0 keeps all.",
            warmup=20,
        )
    )
    top_p: float = row(
        Number(
            default=1.0,
            low=0,
            high=1,
            excludes_low=True,
            off=1,
            clamp=(0, 1),
            stage=Stage.TRUNCATION,
            help="Keep the most likely tokens that together reach this probability; 1 keeps all.",
            warmup=0.9,
        )
    )
    min_p: float = row(
        Number(
            default=0.0,
            low=0,
            high=1,
            off=0,
            clamp=(0, 1),
            stage=Stage.TRUNCATION,
            help="Keep tokens at least this many times as likely as the most likely token; 0 keeps "
            "all.",
            warmup=0.01,
        )
    )
    typical_p: float = row(
        Number(
            default=1.0,
            low=0,
            high=1,
            excludes_low=True,
            off=1,
            clamp=(0, 1),
            stage=Stage.TRUNCATION,
            help="Keep the most typical tokens that together reach this probability; 1 keeps all.",
            warmup=0.95,
        )
    )
    repetition_penalty: float = row(
        Number(
            default=1.0,
            low=0,
            excludes_low=True,
            off=1,
            clamp=(1 / LARGE, LARGE),
            is_positive=True,
            stage=Stage.PENALTY,
            help="Above 1, makes tokens that occurred before less likely by dividing their logits; "
            "1 is off.",
            warmup=1.1,
        )
    )
    presence_penalty: float = row(
        Number(
            default=0.0,
            off=0,
            clamp=(-LARGE, LARGE),
            stage=Stage.PENALTY,
            help="Subtracted from the logits of tokens that occurred before; 0 is off.",
        )
    )
    frequency_penalty: float = row(
        Number(
            default=0.0,
            off=0,
            clamp=(-LARGE, LARGE),
            stage=Stage.PENALTY,
            help="Subtracted from a token's logit once per earlier occurrence; 0 is off.",
        )
    )
    repeat_last_n: int = row(
        Integer(
            default=-1,
            low=-1,
            stage=Stage.PENALTY,
            help="Number of newest tokens, prompt included, that all penalties look at; -1, the "
            "maximum, is the context length.",
            warmup=-1,
        )
    )
    no_repeat_ngram_size: int = row(
        Integer(
            default=0,
            low=0,
            off=0,
            clamp=(0, INT32_MAX),
            stage=Stage.PENALTY,
            help="Length of the token sequences that are never generated twice; 0 is off.",
            warmup=4,
        )
    )
    dry_multiplier: float = row(
        Number(
            default=0.0,
            low=0,
            off=0,
            clamp=(0, LARGE),
            stage=Stage.PENALTY,
            help="Strength of DRY, which penalizes continuing a repetition; 0 is off.",
            warmup=0.5,
        )
    )
    dry_base: float = row(
        Number(
            default=1.75,
            low=1,
            clamp=(1, FLOAT32_MAX),
            invalid=1,
            stage=Stage.PENALTY,
            help="Growth of the DRY penalty per repeated token.",
        )
    )
    dry_allowed_length: int = row(
        Integer(
            default=2,
            low=0,
            clamp=(0, int(LARGE)),
            stage=Stage.PENALTY,
            help="Number of repeated tokens that DRY does not penalize.",
        )
    )
    xtc_probability: float = row(
        Number(
            default=0.0,
            low=0,
            high=1,
            off=0,
            clamp=(0, 1),
            stage=Stage.TRUNCATION,
            help="Probability that XTC removes all likely tokens but the least likely of them; 0 "
            "is off.",
        )
    )
    xtc_threshold: float = row(
        Number(
            default=0.1,
            low=0,
            high=1,
            clamp=(0, 0.5),
            invalid=0.5,
            stage=Stage.TRUNCATION,
            help="Probability from which XTC counts a token as likely; above 0.5, XTC is off.",
        )
    )
    mirostat_tau: float = row(
        Number(
            default=0.0,
            low=0,
            off=0,
            clamp=(0, 128),
            stage=Stage.MIROSTAT,
            help="Target surprise of Mirostat in bits per token, instead of all truncation; 0 is "
            "off.",
        )
    )
    mirostat_eta: float = row(
        Number(
            default=0.1,
            low=0,
            clamp=(0, 1),
            invalid=0,
            stage=Stage.MIROSTAT,
            help="Learning rate of Mirostat.",
        )
    )
    seed: int | None = row(
        Seed(
            default=None,
            low=0,
            absent=-1,
            stage=Stage.DRAW,
            help="Seed of the random draw; the same seed generates the same text.",
            warmup=0,
        )
    )
    stop: tuple[str, ...] = row(STOP)
    banned: tuple[str, ...] = row(BANNED)
    logit_bias: tuple[tuple[str, float], ...] = row(
        Biases(
            stage=Stage.BIAS,
            help="Texts, and what to add to the logits of their tokens: above 0 makes them more "
            "likely, below 0 less.",
            warmup=(("e", 0.1),),
        )
    )
    avoid: tuple[str, ...] = row(constraint_controls.AVOID)
    avoid_regex: tuple[str, ...] = row(constraint_controls.AVOID_REGEX)
    ignore_case: bool = row(constraint_controls.IGNORE_CASE)
    regex: str | None = row(constraint_controls.REGEX)
    json_schema: str | None = row(constraint_controls.JSON_SCHEMA)
    acrostic: str | None = row(constraint_controls.ACROSTIC)
    novel: int | None = row(constraint_controls.NOVEL)
    logprobs: int | None = row(
        Integer(
            default=None,
            low=0,
            absent=-1,
            stage=Stage.REPORT,
            help="Number of most likely tokens to report with each token's log-probability.",
            warmup=1,
        )
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = self.min_new_tokens <= self.max_new_tokens
        check(fits, "min_new_tokens must be at most max_new_tokens", self.min_new_tokens)
        shapes = (self.regex, self.json_schema, self.acrostic)
        fits = self.novel is None or not any(shapes)
        check(fits, "novel cannot be combined with regex, json_schema or acrostic", self.novel)

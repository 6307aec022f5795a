"""Settings as frozen dataclasses that check themselves.

Each class is a plain record of keyword arguments with the field's standard names
(Keras terms for the architecture, Hugging Face terms for decoding). A value outside
its range raises `ConfigError` with the rule and what was received, wherever the
value came from: the command line, Python, or a JSON file.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any, ClassVar, Literal

from textgen.errors import ConfigError

Architecture = Literal["lstm", "transformer"]
DocumentSplit = Literal["none", "line", "blank-line", "file"]
Normalization = Literal["none", "nfc", "nfkc"]

_INT32_END = 2**31


def _check(condition: bool, rule: str, received: object) -> None:
    if not condition:
        raise ConfigError(f"{rule}. Received: {received!r}")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_positive_int(config: object, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        _check(_is_int(value) and value >= 1, f"{name} must be a whole number from 1 up", value)


def _check_choice(config: object, name: str, choices: tuple[str, ...]) -> None:
    value = getattr(config, name)
    _check(value in choices, f"{name} must be one of {', '.join(choices)}", value)


def _check_finite(config: object, name: str, low: float, *, above: bool = False) -> None:
    value = getattr(config, name)
    fits = _is_number(value) and (low < value if above else low <= value)
    _check(fits, f"{name} must be {'greater than' if above else 'at least'} {low:g}", value)


def _check_share(config: object, name: str, *, above: bool = False) -> None:
    """Check a probability; with `above`, one that must not be 0."""
    value = getattr(config, name)
    fits = _is_number(value) and 0 <= value <= 1 and (value or not above)
    _check(fits, f"{name} must be in {'(' if above else '['}0, 1]", value)


def _is_number(value: object) -> bool:
    # Not math.isfinite, which whole numbers too large for a float make raise.
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max


def _is_text(value: object) -> bool:
    return (
        isinstance(value, str)
        and bool(value)
        and not any("\ud800" <= character <= "\udfff" for character in value)
    )


def _check_texts(config: object, name: str) -> None:
    """Check a list of strings, and make it a tuple."""
    values = getattr(config, name)
    # One string is a sequence too: of strings that nobody meant.
    _check(isinstance(values, (list, tuple)), f"{name} must be a list of strings", values)
    values = tuple(values)
    fits = all(isinstance(text, str) and text for text in values)
    _check(fits, f"{name} must hold non-empty strings", values)
    fits = all(map(_is_text, values))
    _check(fits, f"{name} must be Unicode text without lone surrogates", values)
    object.__setattr__(config, name, values)


def _check_whole(config: object, name: str, low: int) -> None:
    value = getattr(config, name)
    _check(_is_int(value) and value >= low, f"{name} must be a whole number from {low} up", value)
    _check(value < _INT32_END, f"{name} must be less than {_INT32_END}", value)


class _Record:
    """What every config shares: conversion to and from plain dictionaries."""

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dictionary that JSON can hold."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Any:
        """Build the config from `to_dict`'s result.

        Raises:
            ConfigError: a name is unknown or a value is outside its range.
        """
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"Unknown settings for {cls.__name__}: {', '.join(unknown)}")
        return cls(**values)


@dataclasses.dataclass(frozen=True)
class CorpusConfig(_Record):
    """How text files become documents.

    Attributes:
        encoding: name of the text encoding of every file.
        lowercase: turn all letters to lower case.
        strip_html: remove HTML tags, comments, scripts and styles; decode entities.
        strip_punctuation: remove every character of Unicode category P.
        normalize: Unicode normalization form.
        split_documents: where one document ends and the next begins.
        text_column: name of the column (CSV) or key (JSON Lines) that holds the text; `"text"`
            where `None`. Every row is a document.
        validation_split: the share of the corpus, at its end, kept for validation.
    """

    encoding: str = "utf-8"
    lowercase: bool = False
    strip_html: bool = False
    strip_punctuation: bool = False
    normalize: Normalization = "none"
    split_documents: DocumentSplit = "none"
    text_column: str | None = None
    validation_split: float = 0.1

    def __post_init__(self) -> None:
        _check_choice(self, "normalize", ("none", "nfc", "nfkc"))
        _check_choice(self, "split_documents", ("none", "line", "blank-line", "file"))
        fits = self.text_column is None or isinstance(self.text_column, str)
        _check(fits, "text_column must be a name", self.text_column)
        _check(
            isinstance(self.validation_split, (int, float)) and 0 < self.validation_split < 1,
            "validation_split must be in (0, 1)",
            self.validation_split,
        )

    @property
    def cleans(self) -> bool:
        """Whether any text is changed before a model sees it."""
        changes = self.lowercase or self.strip_html or self.strip_punctuation
        return changes or self.normalize != "none"


@dataclasses.dataclass(frozen=True)
class ModelConfig(_Record):
    """The shape of a model.

    Attributes:
        architecture: `"lstm"` or `"transformer"`.
        num_layers: number of LSTM layers or Transformer blocks.
        num_heads: attention heads a block; must divide `hidden_dim`. Unused by the LSTM.
        hidden_dim: width of the embedding and of every layer.
        context_length: tokens in a training window, and the longest span attended to.
        dropout: share of activations dropped in training.
        intermediate_dim: width of the feed-forward layer; 4 x `hidden_dim` where `None`.
    """

    architecture: Architecture = "transformer"
    num_layers: int = 4
    num_heads: int = 4
    hidden_dim: int = 128
    context_length: int = 128
    dropout: float = 0.1
    intermediate_dim: int | None = None

    SIZES: ClassVar[dict[str, dict[str, dict[str, int]]]] = {
        "transformer": {
            "tiny": {"num_layers": 2, "num_heads": 2, "hidden_dim": 64, "context_length": 64},
            "small": {"num_layers": 4, "num_heads": 4, "hidden_dim": 128, "context_length": 128},
            "base": {"num_layers": 6, "num_heads": 6, "hidden_dim": 384, "context_length": 256},
        },
        "lstm": {
            "tiny": {"num_layers": 2, "hidden_dim": 96, "context_length": 64},
            "small": {"num_layers": 2, "hidden_dim": 256, "context_length": 128},
            "base": {"num_layers": 2, "hidden_dim": 768, "context_length": 256},
        },
    }

    def __post_init__(self) -> None:
        _check_choice(self, "architecture", ("lstm", "transformer"))
        _check_positive_int(self, "num_layers", "num_heads", "hidden_dim", "context_length")
        if self.intermediate_dim is not None:
            _check_positive_int(self, "intermediate_dim")
        _check(
            isinstance(self.dropout, (int, float)) and 0 <= self.dropout < 1,
            "dropout must be in [0, 1)",
            self.dropout,
        )
        _check(self.context_length >= 2, "context_length must be at least 2", self.context_length)
        if self.architecture == "transformer" and self.hidden_dim % self.num_heads:
            raise ConfigError(
                "hidden_dim must be a multiple of num_heads. "
                f"Received: hidden_dim={self.hidden_dim}, num_heads={self.num_heads}"
            )

    @classmethod
    def of_size(cls, architecture: Architecture, size: str, **overrides: Any) -> ModelConfig:
        """Return the config of a named size, with the given fields replaced.

        Args:
            architecture: `"lstm"` or `"transformer"`.
            size: `"tiny"`, `"small"` or `"base"`.
            **overrides: fields that replace the size's own; `None` leaves one as it is.

        Raises:
            ConfigError: the size is unknown or a value is outside its range.
        """
        _check(architecture in cls.SIZES, "architecture must be lstm or transformer", architecture)
        sizes = cls.SIZES[architecture]
        _check(size in sizes, f"size must be one of {', '.join(sizes)}", size)
        given = {name: value for name, value in overrides.items() if value is not None}
        return cls(architecture=architecture, **{**sizes[size], **given})


@dataclasses.dataclass(frozen=True)
class TrainingConfig(_Record):
    """How a model is trained.

    Attributes:
        max_steps: optimizer steps.
        batch_size: windows an optimizer step, over all replicas and micro-batches.
        accumulate: micro-batches a step, one after the other: the same gradients with as many
            times less memory for activations. Must divide `batch_size`.
        learning_rate: peak of the schedule; the optimizer's own default where `None`.
        optimizer: `"adamw"`, `"muon"` (Muon for matrices, AdamW for the rest), or `"auto"`
            (Muon for the Transformer, AdamW for the LSTM).
        warmup_steps: steps of linear warmup; 5 % of `max_steps` up to 100 where `None`.
        weight_decay: decoupled weight decay of matrices.
        clip_norm: global norm to which gradients are clipped.
        seed: of initial weights, window order and dropout.
        validate_every: steps between validations; a tenth of `max_steps` where `None`.
        patience: validations without improvement before training stops; `None` never stops.
        mixed_precision: compute in bfloat16, keep weights in float32.
        strategy: `"auto"`, `"none"`, `"mirrored"` or `"multi-worker"`.
        jit_compile: compile the step with XLA; `None` lets the program choose.
        keep_checkpoints: how many of the newest stay on disk.
    """

    max_steps: int = 2000
    batch_size: int = 16
    accumulate: int = 1
    learning_rate: float | None = None
    optimizer: Literal["auto", "adamw", "muon"] = "auto"
    warmup_steps: int | None = None
    weight_decay: float = 0.1
    clip_norm: float = 1.0
    seed: int = 0
    validate_every: int | None = None
    patience: int | None = None
    mixed_precision: bool = False
    strategy: Literal["auto", "none", "mirrored", "multi-worker"] = "auto"
    jit_compile: bool | None = None
    keep_checkpoints: int = 2

    def __post_init__(self) -> None:
        _check_positive_int(self, "max_steps", "batch_size", "accumulate", "keep_checkpoints")
        if self.batch_size % self.accumulate:
            raise ConfigError(
                "batch_size must be a multiple of accumulate. "
                f"Received: batch_size={self.batch_size}, accumulate={self.accumulate}"
            )
        for name in ("validate_every", "patience"):
            if getattr(self, name) is not None:
                _check_positive_int(self, name)
        if self.learning_rate is not None:
            _check_finite(self, "learning_rate", 0, above=True)
        if self.warmup_steps is not None:
            fits = _is_int(self.warmup_steps) and self.warmup_steps >= 0
            _check(fits, "warmup_steps must be a whole number from 0 up", self.warmup_steps)
        _check_finite(self, "weight_decay", 0)
        _check_finite(self, "clip_norm", 0, above=True)
        _check_choice(self, "optimizer", ("auto", "adamw", "muon"))
        _check_choice(self, "strategy", ("auto", "none", "mirrored", "multi-worker"))
        fits = _is_int(self.seed) and 0 <= self.seed < _INT32_END
        _check(fits, f"seed must be a whole number in [0, {_INT32_END})", self.seed)


@dataclasses.dataclass(frozen=True)
class SamplingConfig(_Record):
    """How text is drawn from a model; `textgen.sampling` has the formulas.

    Attributes:
        max_new_tokens: tokens to write at most.
        min_new_tokens: tokens to write before the text may end.
        max_time: seconds to write at most; `None` sets no limit.
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
        _check_whole(self, "max_new_tokens", 1)
        for name in ("min_new_tokens", "top_k", "no_repeat_ngram_size", "dry_allowed_length"):
            _check_whole(self, name, 0)
        _check_whole(self, "repeat_last_n", -1)
        fits = self.min_new_tokens <= self.max_new_tokens
        _check(fits, "min_new_tokens must be at most max_new_tokens", self.min_new_tokens)
        for name in ("temperature", "dry_multiplier", "mirostat_tau", "mirostat_eta"):
            _check_finite(self, name, 0)
        _check_finite(self, "repetition_penalty", 0, above=True)
        _check_finite(self, "dry_base", 1)
        for name in ("presence_penalty", "frequency_penalty"):
            _check(_is_number(getattr(self, name)), f"{name} must be a number", getattr(self, name))
        for name in ("min_p", "xtc_probability", "xtc_threshold"):
            _check_share(self, name)
        for name in ("top_p", "typical_p"):
            _check_share(self, name, above=True)
        if self.max_time is not None:
            _check_finite(self, "max_time", 0, above=True)
        fits = self.seed is None or (_is_int(self.seed) and 0 <= self.seed < 2**63)
        _check(fits, "seed must be a whole number in [0, 2**63)", self.seed)
        for name in ("stop", "banned"):
            _check_texts(self, name)
        if self.logprobs is not None:
            _check_whole(self, "logprobs", 0)
        self._check_logit_bias()

    def _check_logit_bias(self) -> None:
        given: Any = self.logit_bias
        pairs = given.items() if isinstance(given, dict) else given
        try:
            values = tuple((text, bias) for text, bias in pairs)
        except (TypeError, ValueError):
            values = (("", None),)
        fits = all(_is_text(text) and _is_number(bias) for text, bias in values)
        _check(fits, "logit_bias must pair non-empty strings with numbers", given)
        object.__setattr__(self, "logit_bias", values)


@dataclasses.dataclass(frozen=True)
class BeamSearchConfig(_Record):
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
        _check_whole(self, "max_new_tokens", 1)
        fits = _is_int(self.num_beams) and 1 <= self.num_beams <= self.MAX_BEAMS
        _check(fits, f"num_beams must be a whole number in [1, {self.MAX_BEAMS}]", self.num_beams)
        fits = _is_number(self.length_penalty) and abs(self.length_penalty) <= 5
        _check(fits, "length_penalty must be in [-5, 5]", self.length_penalty)
        for name in ("stop", "banned"):
            _check_texts(self, name)


@dataclasses.dataclass(frozen=True)
class ContrastiveSearchConfig(_Record):
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
        _check_whole(self, "max_new_tokens", 1)
        _check_share(self, "penalty_alpha")
        fits = _is_int(self.top_k) and 1 <= self.top_k <= self.MAX_CANDIDATES
        _check(fits, f"top_k must be a whole number in [1, {self.MAX_CANDIDATES}]", self.top_k)
        for name in ("stop", "banned"):
            _check_texts(self, name)


@dataclasses.dataclass(frozen=True)
class RunConfig(_Record):
    """Everything a training run was asked to do.

    Attributes:
        corpus: how text files become documents.
        model: the shape of the model.
        training: how it is trained.
        tokenizer: `"character"`, `"bpe"` (byte pairs), or `"auto"` (characters for the LSTM,
            for small corpora and for scripts of many characters; byte pairs for the others).
        vocab_size: tokens of byte pairs at most; by the size of the corpus where `None`.
        min_count: characters seen less often become the unknown token; byte pairs know all.
    """

    corpus: CorpusConfig = CorpusConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    tokenizer: Literal["auto", "character", "bpe"] = "auto"
    vocab_size: int | None = None
    min_count: int = 1

    def __post_init__(self) -> None:
        _check_positive_int(self, "min_count")
        _check_choice(self, "tokenizer", ("auto", "character", "bpe"))
        if self.vocab_size is not None:
            _check_whole(self, "vocab_size", 259)
            fits = self.tokenizer == "bpe"
            _check(fits, "vocab_size needs the tokenizer bpe", self.tokenizer)

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

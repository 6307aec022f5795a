"""Measures one model on a text."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from textgen.config.training import MAX_VALIDATION_TOKENS
from textgen.errors import CorpusError
from textgen.evaluation.bootstrap import Bootstrap, Figure
from textgen.evaluation.calibration import calibration_error
from textgen.evaluation.token_scores import TokenScores, has_limit, score_windows
from textgen.evaluation.units import Units
from textgen.evaluation.windows import adjacent, full_context, random_starts
from textgen.inference import TextGenerator
from textgen.metrics import bits, perplexity, unknown_nats
from textgen.tokenizer.token_ids import SpecialTokens
from textgen.windows import ValidationWindows

# So many tokens are known to 2 / sqrt(2**16) = 0.008 nats, which nanoGPT's 200 batches are not.
_FEW_TARGETS = 1 << 16
_FIRST_BYTES_OF_CHARACTERS = bytes(b for b in range(256) if b & 0xC0 != 0x80)


@dataclass(frozen=True)
class Measurement:
    """How good a model is on a text.

    Attributes:
        name: The model's name.
        version: Its version, or `None` for a SavedModel outside a version folder.
        figures: Figures of the protocol `full`, by name: `loss` in nats per token, `perplexity`,
            `bits_per_character`, `bits_per_byte`, `accuracy`, `calibration_error`, and
            `characters_per_second`.
        losses: The loss in nats per token under the other protocols.
        num_tokens: Tokens of the text.
        num_unknown: Characters that the model cannot write.
        unknown_bits: What each of them costs on top of the unknown token, in bits.
        memory_bytes: Largest memory of the process while it measured, or 0 if unknown.
        unit_nats: float64[U], the cost of each document or block.
    """

    name: str
    version: int | None
    figures: dict[str, Figure]
    losses: dict[str, Figure]
    num_tokens: int
    num_unknown: int
    unknown_bits: float
    memory_bytes: int
    unit_nats: np.ndarray


def measure(
    model: TextGenerator,
    documents: Sequence[str],
    units: Units,
    tokens: np.ndarray | None = None,
    prompts: Sequence[np.ndarray] | None = None,
    on_tokens: Callable[[int, int], None] = lambda done, total: None,
) -> Measurement:
    """Measure a model on documents that are cleaned as its corpus was.

    Args:
        model: An open model.
        documents: The texts; none is empty.
        units: The documents or blocks that intervals are made from.
        tokens: int[N], what the other protocols cut their windows from. Defaults to the tokens
            of the documents, with BOS and EOS if the model knows them.
        prompts: int[P] for each document, the tokens that it answers, which do not count. The
            other protocols have none.
        on_tokens: Called with the tokens scored so far and their total.

    Raises:
        ModelDamagedError: If the model was exported before it could be evaluated.
        GenerationError: If the model's weights are not numbers.
        CorpusError: If the model knows no character of the text.
    """
    tokenizer, card = model.tokenizer, model.card
    ids, counts = tokenizer.encode_all(documents)
    is_unknown = ids == tokenizer.special.unknown
    if is_unknown.all():
        raise CorpusError(f"{model.entry.name} knows none of the text's characters.")
    texts = [text for text in np.split(ids, np.cumsum(counts)[:-1]) if len(text)]
    has_documents = card.corpus is not None and card.corpus.has_documents
    prefix_id = tokenizer.prefix_id(has_documents)
    context, is_limited = card.model.context_length, has_limit(model)
    _forget_peak_memory()
    wholes = texts
    if prompts is not None:
        wholes = [np.concatenate(pair) for pair in zip(prompts, texts, strict=True)]
    windows = full_context(wholes, prefix_id, context, is_limited)
    scores = score_windows(model, windows, on_tokens)
    if prompts is not None:
        is_answer = [np.arange(len(w)) >= len(p) for w, p in zip(wholes, prompts, strict=True)]
        scores = scores.only(np.concatenate(is_answer))
    memory = _peak_memory()
    # One window after the other, so the tokens come in the order of the text.
    price = unknown_nats(tokenizer.vocab_size)
    nats = np.where(is_unknown, price, 0.0) - scores.logprobs
    unit = units.of_tokens(_characters_per_token(tokenizer.pieces)[ids] + is_unknown)
    unit_nats = np.bincount(unit, nats, len(units))
    unit_tokens = np.bincount(unit, minlength=len(units)).astype(float)
    bootstrap = units.bootstrap
    loss = bootstrap.ratio(unit_nats, unit_tokens)
    right = np.bincount(unit, scores.is_right & ~is_unknown, len(units))
    figures = {
        "loss": loss,
        "perplexity": loss.map(perplexity),
        "bits_per_character": bootstrap.ratio(unit_nats, units.characters).map(bits),
        "bits_per_byte": bootstrap.ratio(unit_nats, units.bytes).map(bits),
        "accuracy": bootstrap.ratio(right, unit_tokens),
        "calibration_error": calibration_error(
            scores.best_logprobs, scores.is_right & ~is_unknown, unit, bootstrap, len(units)
        ),
        "characters_per_second": _speed(scores, units.num_characters / len(ids)),
    }
    is_own = tokens is not None
    if tokens is None:
        tokens = _as_trained(texts, tokenizer.special, has_documents)
    return Measurement(
        name=model.entry.name,
        version=model.entry.version,
        figures=figures,
        losses=_losses(model, tokens, context, is_own) if prompts is None else {},
        num_tokens=len(ids),
        num_unknown=int(is_unknown.sum()),
        unknown_bits=bits(price),
        memory_bytes=memory,
        unit_nats=unit_nats,
    )


def _losses(
    model: TextGenerator, tokens: np.ndarray, context: int, is_own: bool
) -> dict[str, Figure]:
    """Return the loss under the protocols that cut windows of one context.

    On the run's own tokens these are the very windows that training validated on.
    """
    if len(tokens) < 2:
        return {}
    most = MAX_VALIDATION_TOKENS if is_own else _FEW_TARGETS
    adjacent_starts = ValidationWindows(tokens, context, 1, most).starts
    count = min(max(_FEW_TARGETS // context, 1), len(adjacent_starts))
    starts = {
        "windows": adjacent_starts,
        "random": random_starts(len(tokens), context, count),
    }
    losses = {}
    for protocol, places in starts.items():
        windows = adjacent(tokens, places, context)
        scores = score_windows(model, windows)
        owner = np.repeat(np.arange(len(places)), windows.lengths)
        nats = np.bincount(owner, -scores.logprobs)
        losses[protocol] = Bootstrap(len(places)).ratio(nats, windows.lengths.astype(float))
    return losses


def _characters_per_token(pieces: Sequence[bytes]) -> np.ndarray:
    """Return how many characters begin in each token, int64[V]."""
    return np.array([len(p) - len(p.translate(None, _FIRST_BYTES_OF_CHARACTERS)) for p in pieces])


def _as_trained(
    texts: Sequence[np.ndarray], special: SpecialTokens, has_documents: bool
) -> np.ndarray:
    """Return the tokens of texts as a training run would store them."""
    if not has_documents:
        return np.concatenate(texts)
    parts = ([special.bos], None, [special.eos])
    return np.concatenate([text if part is None else part for text in texts for part in parts])


def _speed(scores: TokenScores, characters_per_token: float) -> Figure:
    bootstrap = Bootstrap(len(scores.seconds))
    speed = bootstrap.ratio(scores.tokens_per_call.astype(float), scores.seconds)
    return speed.map(lambda tokens: tokens * characters_per_token)


def _forget_peak_memory() -> None:
    """Let Linux count the largest memory of this process from here."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory() -> int:
    """Return the largest memory of this process in bytes, or 0 if unknown."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        line = next(line for line in lines if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return 0

"""A model from a GGUF file, which holds everything: settings, weights, tokenizer, template."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textgen.card_parts import PublishedSummary
from textgen.errors import PublishedModelError
from textgen.files import open_plain
from textgen.pretrained.gguf_header import Header, read_header
from textgen.pretrained.gguf_tensors import GGUFTensors
from textgen.pretrained.published_model import PublishedModel
from textgen.pretrained.rope_factors import scaling_of_factors
from textgen.pretrained.sentence_piece import SentencePieceVocabulary, merges_of_scores
from textgen.pretrained.settings import find_format, read_settings
from textgen.pretrained.source_folder import file_digest
from textgen.pretrained.vocabulary import Vocabulary
from textgen.pretrained.weights import PublishedWeights

# Names of pre-tokenizers in GGUF files, and ours.
_PATTERNS = {
    "gpt-2": "gpt2",
    "default": "gpt2",
    "smollm": "smollm",
    "llama3": "llama3",
    "llama-v3": "llama3",
    "llama-bpe": "llama3",
    "qwen2": "qwen2",
}
_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = 1, 3, 4, 5, 6


def read_gguf(path: Path) -> PublishedModel:
    """Read a GGUF file.

    Args:
        path: The file.

    Raises:
        PublishedModelError: If it is truncated, damaged, or of a kind that is not supported.
        OSError: If it cannot be read.

    Example:
        >>> read_gguf(Path("SmolLM2-135M-Instruct.Q4_1.gguf")).config.num_layers
        30
    """
    path = path.resolve()
    with open_plain(path) as file:
        try:
            # Unmapped when the last tensor is freed.
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except ValueError as error:
            raise PublishedModelError(f"{path} is empty.") from error
    header = read_header(content)
    metadata = header.metadata
    kind = metadata.get("general.architecture")
    architecture, table = find_format("gguf", kind)
    tokenizer = _vocabulary(metadata).tokenizer()
    tensors = GGUFTensors(content, header)
    config = read_settings(architecture, table, str(kind), _settings(header, str(kind), tensors))
    weights = PublishedWeights(tensors, table, config, tokenizer.vocab_size)
    license, template = metadata.get("general.license"), metadata.get("tokenizer.chat_template")
    return PublishedModel(
        config,
        weights,
        weights.num_parameters,
        tokenizer,
        template if isinstance(template, str) else None,
        PublishedSummary(
            source=str(path),
            digest=file_digest(path),
            license=license if isinstance(license, str) else None,
        ),
    )


def _settings(header: Header, kind: str, tensors: GGUFTensors) -> dict[str, Any]:
    """Return the settings without their prefix, and what only the tensors tell."""
    prefix = f"{kind}."
    values = {
        name.removeprefix(prefix): value
        for name, value in header.metadata.items()
        if name.startswith(prefix)
    }
    values["tie_word_embeddings"] = "output.weight" not in header.tensors
    rotated, width = values.get("rope.dimension_count"), values.get("attention.key_length")
    if None not in (rotated, width) and rotated != width:
        raise PublishedModelError(
            "Models that rotate only a part of each head are not supported. Received: "
            f"{rotated!r} of {width!r} dimensions"
        )
    if "rope_freqs.weight" in header.tensors:
        values["rope_scaling"] = scaling_of_factors(
            tensors.read("rope_freqs.weight"), values.get("rope.freq_base", 10_000.0)
        )
    return values


def _vocabulary(metadata: Mapping[str, Any]) -> Vocabulary | SentencePieceVocabulary:
    def get(name: str, kind: type, default: Any = None) -> Any:
        value = metadata.get(f"tokenizer.ggml.{name}", default)
        if value is not None and not isinstance(value, kind):
            raise PublishedModelError(f"The GGUF file is damaged ({name} is no {kind.__name__}).")
        return value

    kind, pattern, kinds = (
        get("model", str),
        get("pre", str, "default"),
        get("token_type", list, []),
    )
    # Only vocabularies of SentencePiece's BPE have tokens that are of the kind of bytes.
    is_sentence_piece = kind != "gpt2" and _BYTE in kinds
    if not is_sentence_piece and (kind != "gpt2" or pattern not in _PATTERNS):
        raise PublishedModelError(
            "The tokenizer must be byte-level BPE that cuts texts as GPT-2, SmolLM, Llama 3 or "
            "Qwen2 does, or SentencePiece's BPE as in Llama 2. "
            f"Received: {kind!r} with the pre-tokenizer {pattern!r}"
        )
    tokens, merges, scores = (get(name, list) for name in ("tokens", "merges", "scores"))
    if is_sentence_piece and merges is None and tokens is not None and scores is not None:
        merges = []
    bos, *eos = (get(f"{name}_token_id", int) for name in ("bos", "eos", "eot", "eom"))
    if tokens is None or merges is None or eos[0] is None:
        raise PublishedModelError("The GGUF file has no tokens, merges or eos_token_id.")
    pairs = [merge.partition(" ")[::2] for merge in merges if isinstance(merge, str)]
    if len(pairs) != len(merges):
        raise PublishedModelError("The GGUF file is damaged (a merge is not a pair of tokens).")
    if not all(isinstance(token, str) for token in tokens):
        raise PublishedModelError("The GGUF file is damaged (a token is not a text).")
    added = {
        token: kind != _USER_DEFINED
        for token, kind in enumerate(kinds[: len(tokens)])
        if kind in (_CONTROL, _USER_DEFINED, _UNUSED)
    }
    first = bos if get("add_bos_token", bool, is_sentence_piece) else None
    last = [*dict.fromkeys(each for each in eos if each is not None)]
    if is_sentence_piece:
        if not pairs:
            made = zip(tokens, scores, kinds, strict=False)
            pairs = merges_of_scores({text: score for text, score, kind in made if kind == _NORMAL})
        has_prefix = get("add_space_prefix", bool, True)
        prefix, unknown = "always" if has_prefix else "never", get("unknown_token_id", int)
        return SentencePieceVocabulary(tokens, added, pairs, prefix, unknown, first, last)
    return Vocabulary(
        tokens=tokens,
        added=added,
        merges=pairs,
        pattern=_PATTERNS[pattern],
        keeps_whole_words=_PATTERNS[pattern] == "llama3",
        bos=first,
        eos=last,
        normalizes=_PATTERNS[pattern] == "qwen2",
    )

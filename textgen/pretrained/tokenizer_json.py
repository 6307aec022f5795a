"""A vocabulary from the tokenizer.json of Hugging Face's `tokenizers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textgen.errors import PublishedModelError
from textgen.pretrained.sentence_piece import SentencePieceVocabulary, prefix_of
from textgen.pretrained.vocabulary import Vocabulary

# See `textgen.tokenizer.published_words`.
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SPLITS = {
    _GPT2: "gpt2",
    _LLAMA3: "llama3",
    _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}"): "qwen2",
}


def read_tokenizer_json(
    values: Mapping[str, Any], bos: str | None, eos: Sequence[str | int]
) -> Vocabulary | SentencePieceVocabulary:
    """Return the vocabulary that a tokenizer.json describes.

    Args:
        values: The content of the file.
        bos: The token that precedes every text, if another file says so.
        eos: The tokens that end a text or a turn, or their ids, the usual one first.

    Raises:
        PublishedModelError: If it is of another kind than byte-level BPE or SentencePiece's BPE, or
            damaged.
    """
    try:
        return _read(values, bos, eos)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise PublishedModelError(f"tokenizer.json is damaged ({error!r}).") from error


def _read(
    values: Mapping[str, Any], bos: str | None, eos: Sequence[str | int]
) -> Vocabulary | SentencePieceVocabulary:
    model = values["model"]
    kind, has_bytes = model.get("type", "BPE"), bool(model.get("byte_fallback"))
    prefix = prefix_of(values) if has_bytes else None
    if kind != "BPE" or has_bytes != (prefix is not None) or model.get("continuing_subword_prefix"):
        raise PublishedModelError(
            "The tokenizer must be byte-level BPE, or SentencePiece's BPE as Llama 2 or Mistral "
            f"has it. Received: {kind}{' with byte_fallback' if has_bytes else ''}"
        )
    ids = {**model["vocab"]}
    added = {int(each["id"]): each for each in values.get("added_tokens") or ()}
    ids |= {each["content"]: token for token, each in added.items()}
    size = max(ids.values()) + 1
    if size > 2 * len(ids):
        raise PublishedModelError(
            f"tokenizer.json is damaged (its largest id is {size - 1:,}, of {len(ids):,} tokens)."
        )
    tokens: list[str | None] = [None] * size
    for text, token in ids.items():
        tokens[token] = text
    bos = bos or _first_of_template(values.get("post_processor") or {})
    for name, token in (("bos", bos), *(("eos", each) for each in eos)):
        if isinstance(token, str) and token not in ids:
            raise PublishedModelError(f"The {name} token {token!r} is not in the vocabulary.")
    first = None if bos is None else ids[bos]
    last = [*dict.fromkeys(ids[each] if isinstance(each, str) else each for each in eos)]
    is_special = {token: bool(each.get("special")) for token, each in added.items()}
    merges = [_merge(each) for each in model["merges"]]
    if prefix is not None:
        unknown = ids.get(model.get("unk_token"))
        return SentencePieceVocabulary(tokens, is_special, merges, prefix, unknown, first, last)
    return Vocabulary(
        tokens=tokens,
        added=is_special,
        merges=merges,
        pattern=_pattern(values.get("pre_tokenizer")),
        keeps_whole_words=bool(model.get("ignore_merges")),
        bos=first,
        eos=last,
        normalizes=_normalizes(values.get("normalizer")),
    )


def _merge(merge: Any) -> tuple[str, str]:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def _first_of_template(post_processor: Mapping[str, Any]) -> str | None:
    """Return the special token that the tokenizer puts before every text, if any."""
    for step in post_processor.get("processors", [post_processor]):
        if step.get("type") == "TemplateProcessing" and "SpecialToken" in step["single"][0]:
            return step["single"][0]["SpecialToken"]["id"]
    return None


def _normalizes(normalizer: Any) -> bool:
    """Return whether texts are first normalized to Unicode's form NFC."""
    steps = normalizer.get("normalizers", [normalizer]) if normalizer else []
    for step in steps:
        if step["type"] != "NFC":
            raise PublishedModelError(
                "The tokenizer must not normalize text, except to Unicode's form NFC. "
                f"Received: {step['type']}"
            )
    return bool(steps)


def _pattern(pre_tokenizer: Any) -> str:
    """Return the name of the pattern that cuts texts into words."""
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer]) if pre_tokenizer else []
    kinds = [step["type"] for step in steps]
    last = steps[-1] if steps else {}
    if kinds[-1:] == ["ByteLevel"] and not last.get("add_prefix_space"):
        uses_regex = last.get("use_regex", True)
        if kinds == ["ByteLevel"] and uses_regex:
            return "gpt2"
        if kinds == ["Digits", "ByteLevel"] and uses_regex and steps[0].get("individual_digits"):
            return "smollm"
        if kinds == ["Split", "ByteLevel"] and not uses_regex and not steps[0].get("invert"):
            regex = steps[0]["pattern"].get("Regex")
            if regex in _SPLITS and steps[0]["behavior"] == "Isolated":
                return _SPLITS[regex]
    raise PublishedModelError(
        "The tokenizer must cut texts as GPT-2, SmolLM, Llama 3 or Qwen2 does. Received: "
        f"{' and '.join(kinds) or 'nothing'}"
    )

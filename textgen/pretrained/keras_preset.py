"""A model from a KerasHub preset folder, read by KerasHub."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from textgen.card_parts import PublishedSummary
from textgen.errors import PublishedModelError, first_line
from textgen.models.published import DIMENSIONS, Format
from textgen.pretrained.published_model import PublishedModel
from textgen.pretrained.settings import find_format, read_settings
from textgen.pretrained.source_folder import SourceFolder
from textgen.pretrained.tensors import ArrayTensors
from textgen.pretrained.vocabulary import Vocabulary
from textgen.pretrained.weights import PublishedWeights

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
# The patterns of KerasHub's tokenizers, and their tokens that begin and end a text.
_TOKENIZERS = {
    "GPT2Tokenizer": ("gpt2", "<|endoftext|>", "<|endoftext|>"),
    "Llama3Tokenizer": ("llama3", "<|begin_of_text|>", "<|end_of_text|>"),
    "QwenTokenizer": ("qwen2", None, "<|endoftext|>"),
    "Qwen3Tokenizer": ("qwen2", None, "<|im_end|>"),
}


def is_preset(values: dict[str, Any]) -> bool:
    """Return whether a config.json is that of a KerasHub preset."""
    return "class_name" in values and isinstance(values.get("config"), dict)


def read_keras_preset(folder: Path) -> PublishedModel:
    """Read a folder as `save_to_preset` of KerasHub or KerasNLP writes it.

    Args:
        folder: The folder.

    Raises:
        PublishedModelError: If a file is missing or damaged, or the model is of a kind that is
            not supported.
        OSError: If a file cannot be read.

    Example:
        >>> read_keras_preset(Path("gpt2_base_en")).config.num_layers
        12
    """
    source = SourceFolder(folder)
    values = source.json(_CONFIG)
    if values is None or not is_preset(values):
        raise PublishedModelError(f"{folder / _CONFIG} is not that of a KerasHub preset.")
    kind, settings = values["class_name"], values["config"]
    architecture, table = find_format("keras_hub", kind)
    config = read_settings(architecture, table, kind, settings)
    tokenizer = _vocabulary(source).tokenizer()
    path = source.path(_WEIGHTS)
    if path is None:
        raise PublishedModelError(f"{folder} has no weights: there is no {_WEIGHTS}.")
    # KerasHub makes room for all weights before it opens their file.
    expected = _num_weights(table, config, settings.get("vocabulary_size"))
    if expected > path.stat().st_size:
        raise PublishedModelError(
            f"{path} is truncated or damaged: it has {path.stat().st_size:,} bytes for "
            f"{expected:,} weights."
        )
    tensors = ArrayTensors(_load(folder, kind))
    weights = PublishedWeights(tensors, table, config, tokenizer.vocab_size)
    summary = PublishedSummary(source=str(folder), digest=source.digest())
    return PublishedModel(config, weights, weights.num_parameters, tokenizer, None, summary)


def _load(folder: Path, kind: str) -> dict[str, Any]:
    """Return the weights of the backbone, by their paths in Keras."""
    import keras_nlp

    try:
        backbone = getattr(keras_nlp.models, kind).from_preset(str(folder), dtype="float32")
    except Exception as error:  # KerasHub and h5py raise whatever meets them first
        raise PublishedModelError(f"KerasHub cannot read {folder}: {first_line(error)}") from error
    return {variable.path: variable.numpy() for variable in backbone.weights}


def _num_weights(table: Format, config: Any, vocab_size: Any) -> int:
    """Return how many weights the blocks and the embedding of a model have."""
    sizes = {letter: getattr(config, name, 1) for letter, name in DIMENSIONS.items()}
    sizes["V"] = vocab_size if isinstance(vocab_size, int) else 1
    return sum(
        math.prod(sizes[letter] for letter in weight.shape.replace(" ", ""))
        * (config.num_layers if "{}" in weight.name else 1)
        for weight in table.weights
        if weight.condition is None
    )


def _vocabulary(source: SourceFolder) -> Vocabulary:
    about = source.json("tokenizer.json") or {}
    if about.get("class_name") not in _TOKENIZERS:
        raise PublishedModelError(
            f"The tokenizer must be one of {', '.join(_TOKENIZERS)}. "
            f"Received: {about.get('class_name')!r}"
        )
    pattern, bos, eos = _TOKENIZERS[about["class_name"]]
    ids = source.json("assets/tokenizer/vocabulary.json")
    merges = source.text("assets/tokenizer/merges.txt", max_bytes=1 << 24)
    if ids is None or merges is None:
        raise PublishedModelError(f"{source.folder} has no vocabulary.json or no merges.txt.")
    if not all(isinstance(token, int) and 0 <= token < 2 * len(ids) for token in ids.values()):
        raise PublishedModelError(f"{source.folder}: the ids of vocabulary.json are damaged.")
    tokens: list[str | None] = [None] * (max(ids.values(), default=-1) + 1)
    for text, token in ids.items():
        tokens[token] = text
    pairs = [line.split(" ") for line in merges.splitlines() if not line.startswith("#version")]
    if any(len(pair) != 2 for pair in pairs) or eos not in ids or (bos and bos not in ids):
        raise PublishedModelError(f"{source.folder}: vocabulary.json or merges.txt is damaged.")
    special = {*(about["config"].get("unsplittable_tokens") or ()), bos, eos}
    return Vocabulary(
        tokens=tokens,
        added={token: True for text, token in ids.items() if text in special},
        merges=[(left, right) for left, right in pairs],
        pattern=pattern,
        keeps_whole_words=pattern == "llama3",
        bos=None if bos is None else ids[bos],
        eos=[ids[eos]],
    )

"""A model from a Hugging Face folder: config.json, safetensors, tokenizer.json.

KerasHub can read such folders, too, but it builds and initializes a whole Keras model before it
loads the weights, and the tokenizer of TensorFlow Text with it. A table of names does the same in
a few seconds, with one tensor in memory at a time.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from textgen.card_parts import PublishedSummary
from textgen.errors import PublishedModelError
from textgen.pretrained.published_model import PublishedModel
from textgen.pretrained.safetensors_files import find_safetensors
from textgen.pretrained.sentence_piece import SentencePieceVocabulary
from textgen.pretrained.settings import find_format, read_settings
from textgen.pretrained.source_folder import SourceFolder
from textgen.pretrained.tokenizer_json import read_tokenizer_json
from textgen.pretrained.vocabulary import Vocabulary
from textgen.pretrained.weights import PublishedWeights

_LICENSE = re.compile(r"^license:\s*([\w.-]{1,64})\s*$", re.MULTILINE)


def read_hugging_face(folder: Path) -> PublishedModel:
    """Read a folder as `save_pretrained` of Hugging Face's libraries writes it.

    Args:
        folder: The folder.

    Raises:
        PublishedModelError: If a file is missing or damaged, or the model is of a kind that is
            not supported.
        OSError: If a file cannot be read.

    Example:
        >>> read_hugging_face(Path("SmolLM2-135M")).config.num_layers
        30
    """
    source = SourceFolder(folder)
    values = source.json("config.json")
    if values is None:
        raise PublishedModelError(f"{folder} has no config.json, so it holds no published model.")
    kind = values.get("model_type")
    architecture, table = find_format("hugging_face", kind)
    if values.get("quantization_config"):
        raise PublishedModelError(
            "A quantized Hugging Face model cannot be imported; import the original, or a GGUF "
            "file."
        )
    config = read_settings(architecture, table, kind, values)
    tensors = find_safetensors(source)
    about = source.json("tokenizer_config.json") or {}
    tokenizer = _vocabulary(source, values, about).tokenizer()
    weights = PublishedWeights(tensors, table, config, tokenizer.vocab_size)
    # A model card is named so; its first lines are settings.
    found = _LICENSE.search(source.text("README.md", max_bytes=1 << 22) or "")
    summary = PublishedSummary(
        source=str(folder), digest=source.digest(), license=found[1] if found else None
    )
    return PublishedModel(
        config, weights, weights.num_parameters, tokenizer, _template(source, about), summary
    )


def _vocabulary(
    source: SourceFolder, config: dict[str, Any], about: dict[str, Any]
) -> Vocabulary | SentencePieceVocabulary:
    values = source.json("tokenizer.json")
    if values is None:
        raise PublishedModelError(
            f"{source.folder} has no tokenizer.json, the only kind of tokenizer that can be read."
        )
    bos = _text(about.get("bos_token")) if about.get("add_bos_token") else None
    # The first is what the tokenizer itself calls EOS; models that talk have others for turns.
    named = _text(about.get("eos_token"))
    eos: list[str | int] = [] if named is None else [named]
    for settings in (source.json("generation_config.json") or {}, config):
        ids = settings.get("eos_token_id")
        eos += [
            each
            for each in (ids if isinstance(ids, list) else [ids])
            if isinstance(each, int) and not isinstance(each, bool)
        ]
    if not eos:
        raise PublishedModelError(f"{source.folder} does not say which token ends a text.")
    return read_tokenizer_json(values, bos, eos)


def _text(token: Any) -> str | None:
    """Return a special token, which may be a string or an object with its content."""
    token = token.get("content") if isinstance(token, dict) else token
    return token if isinstance(token, str) and token else None


def _template(source: SourceFolder, about: dict[str, Any]) -> str | None:
    """Return the chat template: a file of its own, or in the tokenizer's settings."""
    own = source.text("chat_template.jinja")
    if own is not None:
        return own
    template = about.get("chat_template")
    if isinstance(template, list):  # several, by name
        named = (each for each in template if isinstance(each, dict))
        default = (each.get("template") for each in named if each.get("name") == "default")
        template = next(default, None)
    return template if isinstance(template, str) else None

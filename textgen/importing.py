"""From a published model to a SavedModel."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.card import ModelCard, current_versions, now
from textgen.card_parts import ModelShape, TokenizerSummary
from textgen.catalog import Catalog, check_name
from textgen.chat_template import ChatTemplate
from textgen.errors import TextgenError
from textgen.pretrained import PublishedModel, default_name, open_published, writable_tokens
from textgen.runtime.banner import hidden_banner
from textgen.runtime.library import environment

if TYPE_CHECKING:
    import numpy as np


def import_model(
    source: str | os.PathLike[str],
    name: str | None = None,
    models_dir: str | os.PathLike[str] | None = None,
    *,
    report: Callable[[str], None] = lambda phase: None,
) -> Path:
    """Import a model that others trained, and export it as the next version of `name`.

    It becomes a model like those trained here: it generates, scores and is served, and other
    models can be trained from it.

    Args:
        source: A Hugging Face folder, a KerasHub preset folder, a GGUF file, or an address:
            `hf://OWNER/MODEL` or `kaggle://OWNER/MODEL/FRAMEWORK/VARIANT`. Only addresses use
            the network.
        name: The model's name. Defaults to the last part of the source.
        models_dir: The models folder. Defaults to TEXTGEN_MODELS or ./saved_models.
        report: Called with what begins: `"reading"`, then `"exporting"`.

    Returns:
        The folder of the new version.

    Raises:
        PublishedModelError: If the source is missing or damaged, or of a kind that is not
            supported.
        ConfigError: If the name is not a plain folder name.
        OSError: If a file cannot be read or written.

    Example:
        >>> textgen.import_model("SmolLM2.gguf", name="smollm2")
        PosixPath('saved_models/smollm2/1')
    """
    name = check_name(default_name(source) if name is None else name)
    catalog = Catalog(models_dir)
    report("reading")
    with open_published(source) as published:
        report("exporting")
        return add_to_catalog(published, name, catalog)


def add_to_catalog(published: PublishedModel, name: str, catalog: Catalog) -> Path:
    """Export a published model as the next version of `name`.

    Raises:
        OSError: If the folder cannot be written; no version appears.
    """
    published = _with_ends_of_turns(published)
    # With oneDNN, TensorFlow never returns memory, such as that of the weights once they are
    # written. Nothing here computes with it.
    with environment({"TF_ENABLE_ONEDNN_OPTS": "0"}), hidden_banner():
        from textgen.export import write_saved_model
    from textgen.generation import Generator
    from textgen.serving.tf_serving import write_configuration

    tokenizer = published.tokenizer
    is_seen = writable_tokens(tokenizer)
    config, vocab_size = published.config, tokenizer.vocab_size
    # Not built, so it has no weights of its own.
    model = config.profile.model_class()(config, vocab_size)
    generator = Generator(
        model.decoder_class(config, vocab_size, {}),
        tokenizer,
        has_documents=True,
        is_seen=is_seen,
    )
    card = _card(published, name, is_seen)
    path = catalog.add_version(
        name,
        lambda folder: write_saved_model(
            folder,
            *(generator, tokenizer, card, published.chat_template),
            model.fuse(published.weights),
        ),
    )
    write_configuration(path.parent, name)
    return path


def _with_ends_of_turns(published: PublishedModel) -> PublishedModel:
    """Return the model with the token that its template puts after a message as an EOS token.

    Not all files that have a template say so elsewhere.
    """
    if published.chat_template is None:
        return published
    tokenizer, mark = published.tokenizer, "Zyxwv"
    texts = tokenizer.special_texts
    names = (texts.get(token, "") for token in (tokenizer.special.bos, tokenizer.special.eos))
    dialogue = [
        {"role": role, "content": content}
        for role, content in (("user", "Is it?"), ("assistant", mark), ("user", "Why?"))
    ]
    try:
        with ChatTemplate(published.chat_template, *names) as template:
            after = template.render(dialogue).partition(mark)[2]
    except TextgenError:  # a template that cannot be used is noticed when somebody uses it
        return published
    found = [
        token
        for token, text in texts.items()
        if after.lstrip().startswith(text) and not tokenizer.pieces[token]
    ]
    if not found:
        return published
    longest = max(found, key=lambda token: len(texts[token]))
    return dataclasses.replace(published, tokenizer=tokenizer.with_eos(longest))


def _card(published: PublishedModel, name: str, is_seen: np.ndarray) -> ModelCard:
    tokenizer = published.tokenizer
    return ModelCard(
        name=name,
        model=ModelShape.from_dict(published.config.to_dict()),
        num_parameters=published.num_parameters,
        tokenizer=TokenizerSummary.of(tokenizer.kind, tokenizer.vocab_size, is_seen),
        published=published.summary,
        created=now(),
        versions=current_versions(),
    )

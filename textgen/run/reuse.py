"""Reuse of the previous run's tokens by a new run on the same corpus."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import types
from collections.abc import Mapping, Sequence
from pathlib import Path

from textgen.config import RunConfig
from textgen.corpus import (
    CLEANED_BY,
    Source,
    SourceTracker,
    describe,
    digest_sources,
    file_names,
    read_corpus,
)
from textgen.dataset import TokenStore
from textgen.errors import TextgenError
from textgen.prompt_template import PromptTemplate
from textgen.reporter import Reporter
from textgen.run.folder import RunFolder
from textgen.run.parent import Parent, link_or_copy
from textgen.run.training_run import Run, reopen_run, template_source, tokenizer_kind

# No parts but the corpus itself.
NO_OTHERS: Mapping[str, Sequence[Source]] = types.MappingProxyType({})


def find_run_to_reuse(
    folder: RunFolder,
    sources: Sequence[Source],
    config: RunConfig,
    reporter: Reporter,
    parent: Parent | None = None,
    others: Mapping[str, Sequence[Source]] = NO_OTHERS,
) -> Run | None:
    """Return the run in `folder`, with a new config, if a new run would have the same tokens.

    Args:
        folder: The previous run's folder, which need not exist.
        sources: The new corpus. Contents are compared, not names or times.
        config: The new settings.
        reporter: Receives the number of bytes compared.
        parent: The model that the new run begins from, if there is one.
        others: The files of the new run's other parts; see `read_corpus`.

    Raises:
        CorpusError: If a source cannot be read.
    """
    try:
        previous = reopen_run(folder)
    except TextgenError:
        return None  # There is no such run, or it is damaged.
    # Every setting that belongs neither to the model nor to its training affects the tokens. A
    # parent affects them by its tokenizer, whatever its name.
    shaping = dataclasses.replace(
        config,
        model=previous.config.model,
        training=previous.config.training,
        from_model=previous.config.from_model,
    )
    is_alike = shaping == previous.config and (
        _has_same_tokenizer(previous, config)
        if parent is None
        else previous.tokenizer.to_dict() == parent.tokenizer.to_dict()
    )
    if previous.corpus.has_prompts:
        is_alike &= template_source(config, parent) == template_source(
            previous.config, previous.parent
        )
    if not is_alike or previous.corpus.cleaned_by != CLEANED_BY:
        return None
    if not _has_same_sources(previous, sources, reporter, others):
        return None
    facts = dataclasses.replace(previous.corpus, description=describe(sources))
    files = file_names(sources)
    return dataclasses.replace(previous, config=config, corpus=facts, parent=parent, files=files)


def _has_same_tokenizer(previous: Run, config: RunConfig) -> bool:
    """Return whether a new run would learn the previous run's tokenizer."""
    wanted = tokenizer_kind(config)
    return previous.parent is None and (
        wanted in (tokenizer_kind(previous.config), previous.tokenizer.kind)
    )


def has_same_corpus(
    run: Run,
    sources: Sequence[Source],
    folder: Path,
    reporter: Reporter,
    others: Mapping[str, Sequence[Source]] = NO_OTHERS,
) -> bool:
    """Return whether sources hold a run's corpus, even if they are compressed differently.

    Args:
        run: The run.
        sources: The corpus to compare with.
        folder: Where to keep a corpus that is larger than memory while it is compared.
        reporter: Receives the number of bytes read.
        others: The files of other parts to compare with; see `read_corpus`.

    Raises:
        CorpusError: If a source cannot be read or decoded.
    """
    if _has_same_sources(run, sources, reporter, others):
        return True
    config, on_bytes = run.config.corpus, reporter.bytes_done
    with (
        PromptTemplate(template_source(run.config, run.parent), run.tokenizer) as template,
        read_corpus(sources, config, folder, on_bytes, **others, render=template.render) as corpus,
    ):
        return corpus.facts.digest == run.corpus.digest


def _has_same_sources(
    run: Run,
    sources: Sequence[Source],
    reporter: Reporter,
    others: Mapping[str, Sequence[Source]],
) -> bool:
    everything = itertools.chain(sources, *others.values())
    sizes = (source.num_bytes for source in everything)
    tracker = SourceTracker(sizes, reporter.bytes_done)
    digest = digest_sources(sources, tracker, **others)
    return digest is not None and digest == run.corpus.source_digest


def copy_run(run: Run, folder: RunFolder) -> Run:
    """Write a new run's folder with the tokens of a previous run.

    Args:
        run: The run returned by `find_run_to_reuse`.
        folder: The new run's folder.

    Raises:
        OSError: If the folder cannot be written.
    """
    folder.discard()
    with folder.discarded_on_error():
        # Hard links are safe: token files are never changed after they are written.
        shutil.copytree(run.folder.tokens, folder.tokens, copy_function=link_or_copy)
        new = dataclasses.replace(run, folder=folder, store=TokenStore(folder.tokens))
        new.save()
    return new

"""The tokens of the run before, for a new run on the same corpus."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from textgen.config import RunConfig
from textgen.corpus import (
    CLEANED_BY,
    Source,
    SourceTracker,
    describe,
    digest_sources,
    find_files,
    read_corpus,
)
from textgen.dataset import TokenStore
from textgen.errors import TextgenError
from textgen.run.run import (
    Run,
    discarding_run,
    reopen_run,
    tokenizer_kind,
    write_settings,
)
from textgen.training.reporter import Reporter


def find_run_to_reuse(
    folder: Path, sources: Sequence[Source], config: RunConfig, reporter: Reporter
) -> Run | None:
    """Return the run in `folder`, with a new config, if its tokens are what they would be now.

    Args:
        folder: of the run before, which need not exist.
        sources: what to train on now. Their bytes are compared, not their names or times.
        config: what to do now.
        reporter: is told the bytes that were compared.

    Raises:
        CorpusError: a source cannot be read.
    """
    try:
        before = reopen_run(folder, {})
    except TextgenError:
        return None  # There is none, or none that could be relied on.
    # Whatever is neither of the model nor of its training has a part in the tokens.
    of_tokens = dataclasses.replace(
        config, model=before.config.model, training=before.config.training
    )
    wanted = tokenizer_kind(config)
    is_like = of_tokens == before.config and (
        wanted in (tokenizer_kind(before.config), before.tokenizer.kind)
    )
    if not is_like or before.corpus.cleaned_by != CLEANED_BY:
        return None
    if not _has_same_sources(before, sources, reporter):
        return None
    facts = dataclasses.replace(before.corpus, description=describe(sources))
    return dataclasses.replace(before, config=config, corpus=facts)


def began_with(
    run: Run, paths: Sequence[str | os.PathLike[str]], folder: Path, reporter: Reporter
) -> bool:
    """Return whether a run began with this corpus, which may be compressed otherwise now.

    Args:
        run: the run.
        paths: as for `find_files`.
        folder: the models folder, where a corpus that outgrows memory is kept meanwhile.
        reporter: is told the bytes that were read.

    Raises:
        CorpusError: a source cannot be found, read or decoded.
    """
    sources = find_files(paths, encoding=run.config.corpus.encoding, leave_out=folder)
    if _has_same_sources(run, sources, reporter):
        return True
    with read_corpus(sources, run.config.corpus, folder, reporter.bytes_done) as corpus:
        return corpus.facts.digest == run.corpus.digest


def _has_same_sources(run: Run, sources: Sequence[Source], reporter: Reporter) -> bool:
    tracker = SourceTracker((source.num_bytes for source in sources), reporter.bytes_done)
    digest = digest_sources(sources, tracker)
    return digest is not None and digest == run.corpus.source_digest


def begin_like(run: Run, folder: Path | None) -> Run:
    """Write a new run's folder with the tokens of a run before.

    Args:
        run: from `find_run_to_reuse`.
        folder: of the new run; `None` in a worker that is not the chief, which writes nothing.

    Raises:
        OSError: the folder cannot be written.
    """
    if folder is None:
        return run
    shutil.rmtree(folder, ignore_errors=True)
    with discarding_run(folder):
        # The same files under a second name: nobody ever writes to them again.
        shutil.copytree(run.folder / "tokens", folder / "tokens", copy_function=_link_or_copy)
        new = dataclasses.replace(run, folder=folder, store=TokenStore(folder / "tokens"))
        write_settings(new)
    return new


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # Not every file system has hard links.
        shutil.copyfile(source, target)

"""Begin a run: make tokenizer and tokens from its corpus, or reuse those of the newest run."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from textgen.config import RunConfig
from textgen.corpus import Corpus, Source, read_corpus
from textgen.dataset import TokenStore
from textgen.prompt_template import PromptTemplate
from textgen.reporter import Reporter
from textgen.run.folder import ModelRuns, RunFolder
from textgen.run.parent import Parent
from textgen.run.reuse import NO_OTHERS, copy_run, find_run_to_reuse
from textgen.run.training_run import Run, template_source, tokenizer_kind
from textgen.tokenizer import learn_tokenizer


def read_or_reuse(
    sources: Sequence[Source],
    runs: ModelRuns,
    config: RunConfig,
    reporter: Reporter,
    parent: Parent | None = None,
    others: Mapping[str, Sequence[Source]] = NO_OTHERS,
) -> Corpus | Run:
    """Read a corpus, unless the model's newest run has its tokens.

    Args:
        sources: The corpus, from `textgen.corpus.find_files`.
        runs: The model's runs.
        config: The settings.
        reporter: Receives what happens.
        parent: The model that the run begins from, if there is one.
        others: The files of other parts, by the names of `read_corpus`'s arguments.

    Returns:
        The corpus, or the run whose tokens can be reused.

    Raises:
        CorpusError: If a source cannot be read or decoded.
    """
    reporter.phase("reading")
    previous = find_run_to_reuse(runs.newest, sources, config, reporter, parent, others)
    if previous is not None:
        reporter.phase("reusing")
        return previous
    models = runs.model_folder.parent
    # A corpus larger than memory is kept on the disk where its tokens will need space anyway. For
    # a plan alone, the models folder need not exist.
    folder = models if os.access(models, os.W_OK) else None
    tokenizer = parent.tokenizer if parent else None
    with PromptTemplate(template_source(config, parent), tokenizer) as template:
        if config.corpus.template is not None:
            template.check()
        return read_corpus(
            sources,
            config.corpus,
            folder,
            reporter.bytes_done,
            **others,
            render=template.render,
        )


def begin_run(
    source: Corpus | Run,
    runs: ModelRuns,
    config: RunConfig,
    reporter: Reporter,
    parent: Parent | None = None,
    *,
    writes: bool = True,
) -> Run:
    """Begin a run in `runs.new`, with the corpus or the tokens that `read_or_reuse` returned.

    Args:
        source: What `read_or_reuse` returned. A corpus is closed.
        runs: The model's runs.
        config: The settings.
        reporter: Receives what happens.
        parent: The model that the run begins from, if there is one.
        writes: Whether to write to the model's folder. A plan does not, nor does a worker that
            is not the chief; their tokens go to a temporary folder.

    Raises:
        TokenizerError: If the corpus yields no vocabulary.
        OSError: If the folder cannot be written.
    """
    if isinstance(source, Run):
        return copy_run(source, runs.new) if writes else source
    folder = runs.new if writes else _temporary_folder()
    folder.discard()
    with source, folder.discarded_on_error():
        return _tokenize(source, folder, config, reporter, parent)


def _tokenize(
    corpus: Corpus,
    folder: RunFolder,
    config: RunConfig,
    reporter: Reporter,
    parent: Parent | None,
) -> Run:
    if parent is None:
        reporter.phase("learning")
        tokenizer = learn_tokenizer(
            lambda: corpus.train.texts(_counter(corpus.train.num_bytes, reporter)),
            tokenizer_kind(config),
            config.vocab_size,
            config.min_count,
        )
    else:
        tokenizer = parent.tokenizer
    reporter.phase("encoding")
    parts = (corpus.train, corpus.validation, corpus.test, corpus.replay)
    count = _counter(sum(part.num_bytes for part in parts), reporter)
    store = TokenStore.write(
        folder.tokens,
        corpus.train.blocks(count),
        corpus.validation.blocks(count),
        tokenizer,
        corpus.facts.has_documents,
        test=corpus.test.blocks(count) if corpus.test.num_documents else None,
        replay=corpus.replay.blocks(count) if corpus.replay.num_documents else None,
        has_prompts=corpus.facts.has_prompts,
    )
    run = Run(folder, config, corpus.facts, tokenizer, store, parent, corpus.files)
    run.save()
    return run


def _temporary_folder() -> RunFolder:
    scratch = tempfile.mkdtemp(prefix="textgen-worker-")
    # Removed only at the end of the process, because the tokens are memory-mapped from it.
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return RunFolder(Path(scratch, "train"))


def _counter(total: int, reporter: Reporter) -> Callable[[int], None]:
    """Return a function that adds up finished bytes and reports the sum."""
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        reporter.bytes_done(done, total)

    return add

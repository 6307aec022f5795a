"""A new run: its corpus becomes a tokenizer and tokens, where no run before has them."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from textgen.config import RunConfig
from textgen.corpus import Corpus, find_files, read_corpus
from textgen.dataset import TokenStore
from textgen.run.reuse import begin_like, find_run_to_reuse
from textgen.run.run import Run, discarding_run, tokenizer_kind, write_settings
from textgen.tokenizer import learn_tokenizer
from textgen.training.reporter import Reporter


def prepare_run(
    paths: Sequence[str | os.PathLike[str]], folder: Path, config: RunConfig, reporter: Reporter
) -> Callable[[bool], Run]:
    """Read a corpus, or find that the run before has its tokens; write no run yet.

    Args:
        paths: files, folders, globs, or `-` for standard input.
        folder: of the model.
        config: what to do.
        reporter: is told what happens.

    Returns:
        A function of `is_chief` that begins the run, in the folder from which `replace_run`
        takes it.

    Raises:
        CorpusError: a source cannot be found, read or decoded.
        OSError: a folder cannot be written.
    """
    # Takes the place of the run before only when nothing can go wrong any more at its start.
    new = folder / "train.new"
    reporter.phase("reading")
    models = folder.parent
    sources = find_files(paths, encoding=config.corpus.encoding, leave_out=models)
    before = find_run_to_reuse(folder / "train", sources, config, reporter)
    if before is None:
        # A corpus that outgrows memory is kept where its tokens will need the room anyway; for a
        # mere plan the models folder may not be there.
        where = models if os.access(models, os.W_OK) else None
        corpus = read_corpus(sources, config.corpus, where, reporter.bytes_done)
    else:
        reporter.phase("reusing")

    def open_run(chief: bool) -> Run:
        if before is not None:
            return begin_like(before, new if chief else None)
        return begin_run(new if chief else None, corpus, config, reporter)

    return open_run


def begin_run(folder: Path | None, corpus: Corpus, config: RunConfig, reporter: Reporter) -> Run:
    """Learn the tokenizer, encode the corpus, and write a new run's folder.

    Args:
        folder: of the run; `None` in a worker that is not the chief, which keeps it to itself.
        corpus: is closed.
        config: what to do.
        reporter: is told what happens.

    Raises:
        TokenizerError: the corpus gives no vocabulary.
        OSError: the folder cannot be written.
    """
    if folder is None:
        scratch = tempfile.mkdtemp(prefix="textgen-worker-")
        # Only at the end of the process, because the tokens are memory-mapped from it.
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        folder = Path(scratch, "train")
    shutil.rmtree(folder, ignore_errors=True)
    with corpus:
        reporter.phase("learning")
        tokenizer = learn_tokenizer(
            lambda: corpus.train.texts(_counter(corpus.train.num_bytes, reporter)),
            tokenizer_kind(config),
            config.vocab_size,
            config.min_count,
        )
        reporter.phase("encoding")
        count = _counter(corpus.train.num_bytes + corpus.validation.num_bytes, reporter)
        with discarding_run(folder):
            store = TokenStore.write(
                folder / "tokens",
                corpus.train.blocks(count),
                corpus.validation.blocks(count),
                tokenizer,
                corpus.facts.has_documents,
            )
            run = Run(folder, config, corpus.facts, tokenizer, store)
            write_settings(run)
    return run


def _counter(total: int, reporter: Reporter) -> Callable[[int], None]:
    """Return a function that is told newly finished bytes and tells how many are done."""
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        reporter.bytes_done(done, total)

    return add

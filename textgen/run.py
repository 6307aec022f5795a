"""A training run on disk: its settings, its tokenizer and its tokens.

NAME/train/            the newest run: config.json, tokenizer.json, tokens/, and what training adds
NAME/train.new/        a run that is about to take its place
NAME/train.previous/   the run before
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textgen.config import RunConfig
from textgen.corpus import Corpus, Meter, Source, describe, digest_sources, find_files, read_corpus
from textgen.dataset import TokenStore
from textgen.errors import CheckpointError, ConfigError, TextgenError
from textgen.files import write_atomically
from textgen.tokenizer import Tokenizer, learn_tokenizer, load_tokenizer
from textgen.training.reporter import Reporter
from textgen.version import __version__

# Of a run that goes on, these may differ from what it began with.
RESUMABLE = frozenset(
    {"max_steps", "patience", "validate_every", "strategy", "accumulate", "keep_checkpoints"}
)
# Of what made the tokens, besides the settings: other versions may clean otherwise.
_CLEANED_BY = f"textgen {__version__}, Unicode {unicodedata.unidata_version}"


@dataclass(frozen=True)
class Run:
    """A run's folder and what is in it.

    Attributes:
        folder: of the run.
        config: what the run was asked to do.
        corpus: facts about its corpus, as the model card states them.
        tokenizer: learned from the training part.
        store: the tokens of both parts.
    """

    folder: Path
    config: RunConfig
    corpus: dict[str, Any]
    tokenizer: Tokenizer
    store: TokenStore

    @property
    def has_documents(self) -> bool:
        """Whether the corpus is whole documents."""
        return self.corpus["has_documents"]

    @property
    def tokens_per_character(self) -> float:
        """Of the validation part, for bits per character."""
        return self.store.validation.size / self.corpus["validation_characters"]


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
            _tokenizer_kind(config),
            config.vocab_size,
            config.min_count,
        )
        reporter.phase("encoding")
        count = _counter(corpus.train.num_bytes + corpus.validation.num_bytes, reporter)
        try:
            store = TokenStore.write(
                folder / "tokens",
                corpus.train.blocks(count),
                corpus.validation.blocks(count),
                tokenizer,
                corpus.has_documents,
            )
        except BaseException:
            discard_run(folder)
            raise
    facts = {
        "description": corpus.description,
        "digest": corpus.digest,
        "source_digest": corpus.source_digest,
        "has_documents": corpus.has_documents,
        "num_documents": corpus.num_documents,
        "num_characters": corpus.num_characters,
        "validation_characters": corpus.validation.num_characters,
        "cleaned_by": _CLEANED_BY,
    }
    run = Run(folder, config, facts, tokenizer, store)
    _write_settings(run)
    return run


def replan(run: Run, config: RunConfig) -> Run:
    """Return a run that has not begun to train, with another model or another training.

    Args:
        run: from `begin_run` or `begin_like`; its folder gets the new settings.
        config: the same as the run's in all that has a part in the tokens.

    Raises:
        OSError: the folder cannot be written.
    """
    new = dataclasses.replace(run, config=config)
    _write_settings(new)
    return new


def _tokenizer_kind(config: RunConfig) -> str:
    # The LSTM is the baseline that works on characters.
    is_lstm = config.model.architecture == "lstm"
    return "character" if config.tokenizer == "auto" and is_lstm else config.tokenizer


def _write_settings(run: Run) -> None:
    """Write what a run is besides its tokens."""
    run.tokenizer.save(run.folder / "tokenizer.json")
    # Written last: a run whose config.json is there is complete.
    settings = {"run": run.config.to_dict(), "corpus": run.corpus}
    write_atomically(run.folder / "config.json", json.dumps(settings, indent=2).encode())


def _counter(total: int, reporter: Reporter) -> Callable[[int], None]:
    """Return a function that is told newly finished bytes and tells how many are done."""
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        reporter.bytes_done(done, total)

    return add


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
    wanted = _tokenizer_kind(config)
    is_like = of_tokens == before.config and (
        wanted in (_tokenizer_kind(before.config), before.tokenizer.kind)
    )
    if not is_like or before.corpus.get("cleaned_by") != _CLEANED_BY:
        return None
    if not _has_same_sources(before, sources, reporter):
        return None
    facts = {**before.corpus, "description": describe(sources)}
    return dataclasses.replace(before, config=config, corpus=facts)


def _has_same_sources(run: Run, sources: Sequence[Source], reporter: Reporter) -> bool:
    meter = Meter((source.num_bytes for source in sources), reporter.bytes_done)
    digest = digest_sources(sources, meter)
    return digest is not None and digest == run.corpus.get("source_digest")


def began_with(
    run: Run, paths: Sequence[str | os.PathLike[str]], folder: Path, reporter: Reporter
) -> bool:
    """Return whether a run began with this corpus, which may be compressed otherwise now.

    Args:
        run: the run.
        paths: as for `find_files`.
        folder: where a corpus that outgrows memory is kept meanwhile.
        reporter: is told the bytes that were read.

    Raises:
        CorpusError: a source cannot be found, read or decoded.
    """
    sources = find_files(paths, encoding=run.config.corpus.encoding)
    if _has_same_sources(run, sources, reporter):
        return True
    with read_corpus(sources, run.config.corpus, folder, reporter.bytes_done) as corpus:
        return corpus.digest == run.corpus["digest"]


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
    # The same files under a second name: nobody ever writes to them again.
    shutil.copytree(run.folder / "tokens", folder / "tokens", copy_function=_link_or_copy)
    new = dataclasses.replace(run, folder=folder, store=TokenStore(folder / "tokens"))
    _write_settings(new)
    return new


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # Not every file system has hard links.
        shutil.copyfile(source, target)


def replace_run(folder: Path, new: Path) -> None:
    """Put a new run in the place of the one before, which may hold hours of work: keep it."""
    if folder.exists():
        previous = folder.with_name("train.previous")
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
    new.rename(folder)


def discard_run(new: Path) -> None:
    """Leave no trace of a run that could not start."""
    shutil.rmtree(new, ignore_errors=True)
    with contextlib.suppress(OSError):
        new.parent.rmdir()  # only where it is empty: the name was a new one


def reopen_run(folder: Path, changes: dict[str, Any]) -> Run:
    """Read a run's folder.

    Args:
        folder: of the run.
        changes: settings asked for now, by name; only those of `RESUMABLE` may differ.

    Raises:
        CheckpointError: there is no run, or its settings are damaged.
        ConfigError: a setting differs that must not.
        TextgenError: its tokenizer or its tokens are damaged.
    """
    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = RunConfig.from_dict(settings["run"])
        corpus = dict(settings["corpus"])
    except FileNotFoundError:
        raise CheckpointError(f"There is no run to resume in {folder}.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder}: config.json is damaged ({error}).") from error
    began = _flat(config)
    for name, value in changes.items():
        if value != began[name] and name not in RESUMABLE:
            flag = "--" + name.replace("_", "-")
            raise ConfigError(
                f"{flag} cannot change in a run that is resumed; it began with {began[name]!r}. "
                f"Received: {value!r}"
            )
    training = {name: value for name, value in changes.items() if name in RESUMABLE}
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, **training))
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    return Run(folder, config, corpus, tokenizer, TokenStore(folder / "tokens"))


def _flat(config: RunConfig) -> dict[str, Any]:
    """All settings of a run by their own names, which no two parts share."""
    values = config.to_dict()
    parts = [values.pop(name) for name in ("corpus", "model", "training")]
    return {key: value for part in (*parts, values) for key, value in part.items()}

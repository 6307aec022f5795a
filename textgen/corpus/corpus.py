"""A corpus: its documents, divided into training, validation and test parts."""

from __future__ import annotations

import bisect
import dataclasses
import hashlib
import itertools
import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from textgen.config import CorpusConfig
from textgen.corpus.document_store import END_OF_DOCUMENT, DocumentStore, Part, decode_block
from textgen.corpus.documents import read_blocks
from textgen.corpus.editing import Editor
from textgen.corpus.facts import CorpusFacts
from textgen.corpus.notices import Notices
from textgen.corpus.sources import Source
from textgen.corpus.tracking import SourceTracker
from textgen.errors import CorpusError

_VALIDATION_SPLIT = 0.1
# The losses of characters spread by about 2 nats, so the mean of so many is known to
# 2 / sqrt(200) = 0.14 nats. What is told apart by less is chosen by chance.
_MIN_VALIDATION_CHARACTERS = 200

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus:
    """Cleaned text to train on, to validate with and to test on. Close it by a `with` block.

    Attributes:
        train: The documents to train on; never empty.
        validation: The documents to validate with. Empty only if the validation fraction is 0
            and there are no validation files.
        test: The documents that training never sees; empty without test files.
        replay: Older documents to train on now and then; empty without such files.
        facts: Facts about all parts together.
    """

    train: Part
    validation: Part
    test: Part
    replay: Part
    facts: CorpusFacts

    def __enter__(self) -> Corpus:
        return self

    def __exit__(self, *exception: object) -> None:
        self.train.store.close()


def read_corpus(
    sources: Sequence[Source],
    config: CorpusConfig,
    folder: Path | None = None,
    on_bytes: Callable[[int, int | None], None] = lambda done, total: None,
    *,
    validation: Sequence[Source] = (),
    test: Sequence[Source] = (),
    replay: Sequence[Source] = (),
) -> Corpus:
    """Read, clean and divide a corpus of any size.

    Without validation files, the validation part is the end of the corpus. A single text is cut
    after `int(length * (1 - validation_split))` characters. Of several documents, validation
    gets the last whole ones, as many as come closest to the fraction in characters. Each part
    gets at least one character or one document, but if the fraction is 0 validation gets none.
    So it is if no fraction is given and a tenth is too short to judge a model by.

    Args:
        sources: From `find_files`.
        config: Encoding, cleaning, document split, text column and validation fraction.
        folder: Folder of the temporary file for a corpus that outgrows memory.
        on_bytes: Called with the bytes read so far and the total, which is `None` if unknown.
        validation: Files to validate with, instead of a fraction of `sources`.
        test: Files for a final test.
        replay: Files with older text, to mix into the training.

    Returns:
        An open corpus; use it in a `with` block.

    Raises:
        ConfigError: If Python has no text encoding of the config's name.
        CorpusError: If a source cannot be read or decoded, a table is malformed, the corpus or
            the validation or test files hold no text, or a file is in two parts.

    Example:
        >>> with read_corpus(find_files(["poems.txt"]), CorpusConfig()) as corpus:
        ...     "".join(corpus.train.texts())[:20]
        'Tyger Tyger, burning'
    """
    groups = {"training": sources, "validation": validation, "test": test, "replay": replay}
    everything = [source for group in groups.values() for source in group]
    _check_disjoint(groups)
    if config.text_column is not None and all(source.format == "text" for source in everything):
        raise CorpusError(
            "text_column needs a .csv, .tsv, .jsonl or .ndjson file, or a .json array. "
            f"Received: {describe(everything)}"
        )
    tracker = SourceTracker((source.num_bytes for source in everything), on_bytes)
    store = DocumentStore(folder)
    notices = Notices()
    editor = Editor(config)
    try:
        parts = {}
        for name, group in groups.items():
            if group and name != "training":
                tracker.begin_file(name)  # files in other parts are another corpus
            before = store.size
            if group:
                blocks = read_blocks(group, config, tracker, notices, editor)
                for block in editor.without_copies(blocks):
                    store.write(block)
            parts[name] = store.part_since(before)
            if (group or name == "training") and not parts[name].num_documents:
                whole = "corpus" if name == "training" else f"{name} part"
                raise CorpusError(
                    f"The {whole} is empty: no text is left of {describe(group)} after cleaning."
                )
        has_documents = parts["training"].num_documents > 1
        if not validation:
            parts["training"], parts["validation"] = _divide(
                parts["training"], config, describe(sources)
            )
    except BaseException:
        store.close()
        raise
    finally:
        notices.warn()
    # A digest that an earlier version computed has three parts.
    stops = [part.stop for name, part in parts.items() if replay or name != "replay"]
    facts = CorpusFacts(
        description=describe(sources),
        digest=_digest(store, stops if validation or test or replay else []),
        source_digest=tracker.digest,
        has_documents=has_documents,
        num_documents=store.num_documents,
        num_characters=store.num_characters,
        validation_characters=parts["validation"].num_characters,
        test_characters=parts["test"].num_characters,
        edits=dict(editor.counts),
        replay_characters=parts["replay"].num_characters,
    )
    return Corpus(parts["training"], parts["validation"], parts["test"], parts["replay"], facts)


def _check_disjoint(groups: Mapping[str, Sequence[Source]]) -> None:
    """Refuse a file in two parts: what was trained on can neither validate nor test."""
    seen: dict[Source, str] = {}
    for name, group in groups.items():
        for source in group:
            if seen.setdefault(source, name) != name:
                raise CorpusError(
                    f"{source.name}: a file must be in one part only. "
                    f"Received: {seen[source]} and {name}"
                )


def _digest(store: DocumentStore, stops: Sequence[int]) -> str:
    """Return a digest of the documents, and of the ends of the parts that are files."""
    if not stops:
        return store.digest
    return hashlib.sha256(f"{store.digest} {stops}".encode()).hexdigest()


def describe(sources: Sequence[Source]) -> str:
    """Describe the sources in a few words of Unicode text."""
    files = [source.path for source in sources if source.path is not None]
    parts = []
    if len(files) == 1:
        # On Linux, file names are bytes. Python turns bytes that are not UTF-8 into surrogates.
        parts.append(os.fsencode(files[0].name).decode(errors="replace"))
    elif files:
        parts.append(f"{len(files)} files")
    if len(files) < len(sources):
        parts.append("standard input")
    return " and ".join(parts)


def _divide(whole: Part, config: CorpusConfig, description: str) -> tuple[Part, Part]:
    """Divide a part into a training and a validation part."""
    split = config.validation_split
    if split is None:
        is_enough = whole.num_characters * _VALIDATION_SPLIT >= _MIN_VALIDATION_CHARACTERS
        split = _VALIDATION_SPLIT if is_enough else 0.0
    if split == 0:
        return whole, dataclasses.replace(
            whole, start=whole.stop, num_characters=0, num_documents=0
        )
    target = whole.num_characters * (1 - split)
    if whole.num_documents > 1:
        train = _first_documents(whole, target)
    else:
        if config.split_documents != "none":
            _logger.warning(
                "The corpus holds only one document (split_documents=%r), so validation is the "
                "end of it.",
                config.split_documents,
            )
        if whole.num_characters < 2:
            raise CorpusError(f"The corpus needs at least 2 characters. Received: {description}")
        train = _first_characters(whole, min(max(int(target), 1), whole.num_characters - 1))
    rest = dataclasses.replace(
        whole,
        start=train.stop,
        num_characters=whole.num_characters - train.num_characters,
        num_documents=whole.num_documents - train.num_documents,
    )
    return train, rest


def _first_characters(whole: Part, length: int) -> Part:
    """Return the beginning of a part that holds one document."""
    stop, missing = whole.start, length
    for offset, piece in whole.store.pieces(whole.start, whole.stop):
        text = decode_block(piece)[0]
        stop = offset + len(text[:missing].encode())
        missing -= min(missing, len(text))
        if missing == 0:
            break
    return dataclasses.replace(whole, stop=stop, num_characters=length, num_documents=0)


def _first_documents(whole: Part, target: float) -> Part:
    """Return the first documents, but not all, whose characters come closest to `target`."""
    best, distance = (0, b"", 0, 0, 0), math.inf
    characters = documents = 0
    for offset, piece in whole.store.pieces(whole.start, whole.stop):
        *ended, rest = decode_block(piece)
        # Characters before this piece, and up to the end of each document that ends in it.
        ends = list(itertools.accumulate(map(len, ended), initial=characters))
        above = bisect.bisect_left(ends, target, lo=1)
        for index in range(max(above - 1, 1), min(above + 1, len(ends))):
            is_closer = abs(ends[index] - target) < distance
            if is_closer and documents + index < whole.num_documents:
                distance = abs(ends[index] - target)
                best = (offset, piece, index, ends[index], documents + index)
        if above < len(ends):
            break
        characters = ends[-1] + len(rest)
        documents += len(ended)
    offset, piece, index, characters, documents = best
    length = sum(len(text.encode()) + len(END_OF_DOCUMENT) for text in decode_block(piece)[:index])
    return dataclasses.replace(
        whole, stop=offset + length, num_characters=characters, num_documents=documents
    )

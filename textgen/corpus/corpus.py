"""A corpus: its documents, divided into training, validation and test parts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from textgen.config import CorpusConfig
from textgen.corpus.division import divide, write_by_label
from textgen.corpus.document_store import DocumentStore, Part
from textgen.corpus.documents import read_blocks
from textgen.corpus.editing import Editor
from textgen.corpus.exchanges import ExchangeMaker, Render, without_template
from textgen.corpus.facts import CorpusFacts
from textgen.corpus.notices import Notices
from textgen.corpus.sources import Source, file_names
from textgen.corpus.tracking import SourceTracker
from textgen.errors import CorpusError


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
        files: The files to train on, but for standard input and pipes.
    """

    train: Part
    validation: Part
    test: Part
    replay: Part
    facts: CorpusFacts
    files: tuple[str, ...] = ()

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
    render: Render = without_template,
) -> Corpus:
    """Read, clean and divide a corpus of any size.

    Without validation files, the validation part is the end of the corpus. A single text is cut
    after `int(length * (1 - validation_split))` characters. Of several documents, validation
    gets the last whole ones, as many as come closest to the fraction in characters. Each part
    gets at least one character or one document, but if the fraction is 0 validation gets none.
    Validation also gets none if no fraction is given and a tenth is too short to judge a model by,
    or if there are few rows with a prompt, which are to be memorized. Of labeled documents,
    validation gets the last in every ten of each label, or another fraction if one is given.

    Args:
        sources: From `find_files`.
        config: Encoding, cleaning, document split, text column and validation fraction.
        folder: Folder of the temporary file for a corpus that outgrows memory.
        on_bytes: Called with the bytes read so far and the total, which is `None` if unknown.
        validation: Files to validate with, instead of a fraction of `sources`.
        test: Files for a final test.
        replay: Files with older text, to mix into the training.
        render: Puts a dialogue, or a prompt as its only message, into the form in which the
            model sees it.

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
    named = [name for name, column in config.columns.items() if column is not None]
    if named and all(source.format == "text" for source in everything):
        raise CorpusError(
            f"{named[0]} needs a .csv, .tsv, .jsonl or .ndjson file, or a .json array. "
            f"Received: {describe(everything)}"
        )
    tracker = SourceTracker((source.num_bytes for source in everything), on_bytes)
    store = DocumentStore(folder)
    notices = Notices()
    editor = Editor(config)
    maker = ExchangeMaker(config, editor, render)
    labels: tuple[str, ...] = ()
    by_label: tuple[Part, Part] | None = None
    try:
        parts = {}
        for name, group in groups.items():
            if group and name != "training":
                tracker.begin_file(name)  # files in other parts are another corpus
            before = store.size
            if group:
                blocks = editor.without_copies(
                    read_blocks(group, config, tracker, notices, editor, maker)
                )
                if name == "training" and config.has_labels and not validation:
                    by_label = write_by_label(blocks, config, folder, store)
                else:
                    for block in blocks:
                        store.write(block)
            parts[name] = store.part_since(before)
            if name == "training":
                labels = maker.labels
            elif unseen := [label for label in maker.labels if label not in labels]:
                raise CorpusError(
                    f"A label of the {name} part must be one of the training part, "
                    f"{', '.join(map(repr, labels))}. Received: {unseen[0]!r:.40}"
                )
            if (group or name == "training") and not parts[name].num_documents:
                whole = "corpus" if name == "training" else f"{name} part"
                raise CorpusError(
                    f"The {whole} is empty: no text is left of {describe(group)} after cleaning."
                )
        has_documents = parts["training"].num_documents > 1 or store.has_exchanges
        if by_label:
            parts["training"], parts["validation"] = by_label
        elif not validation:
            parts["training"], parts["validation"] = divide(
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
        has_prompts=store.has_exchanges,
        labels=labels,
    )
    return Corpus(
        parts["training"],
        parts["validation"],
        parts["test"],
        parts["replay"],
        facts,
        file_names(sources),
    )


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

"""Where one document ends and the next begins.

    ["a", "b", "c"], ["d", ""]   the documents "a", "b" and "cd"

Documents are passed on in blocks, because a single one may be larger than memory, and millions
of them may be a line each. A block is what `str.split` would return for a piece of the corpus
that has a mark at the end of every document: all texts of a block but the last end a document,
and the last one continues in the first text of the next block. No document is empty.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from textgen.config import CorpusConfig, DocumentSplit
from textgen.corpus.cleaning import clean, clean_chunks, cut_after
from textgen.corpus.decoding import read_text
from textgen.corpus.sources import Source
from textgen.corpus.tables import read_rows
from textgen.corpus.tracking import SourceTracker

Block = list[str]


def read_blocks(
    sources: Iterable[Source], config: CorpusConfig, tracker: SourceTracker | None = None
) -> Iterator[Block]:
    """Yield the cleaned documents of a corpus.

    A document never spans two files, except with `split_documents="none"`, which joins
    consecutive text files into one document. Each row of a table is treated like a file.

    Args:
        sources: The sources in order, from `find_files`.
        config: Encoding, cleaning, text column and document split.
        tracker: Counts the bytes as they are read.

    Returns:
        An iterator over blocks. Documents without a visible character are skipped, so there may
        be none.

    Raises:
        ConfigError: If Python has no text encoding of the config's name.
        CorpusError: If a source cannot be read or decoded, or a table is malformed.
    """
    split = config.split_documents
    for is_table, group in itertools.groupby(sources, lambda source: source.format != "text"):
        if is_table:
            rows = (row for source in group for row in _read_rows(source, config, tracker))
            texts: Iterable[Iterable[str]] = ([clean(row, config)] for row in rows)
        else:
            # Files are cleaned one by one, so that an unclosed tag in one cannot swallow the
            # next, and before they are split, because a tag may span several lines.
            texts = (
                clean_chunks(read_text(source, config.encoding, tracker), config)
                for source in group
            )
            if split == "none":
                texts = [_join_texts(texts)]
        for text in texts:
            yield from split_chunks(text, split)


def _read_rows(
    source: Source, config: CorpusConfig, tracker: SourceTracker | None
) -> Iterator[str]:
    chunks = read_text(source, config.encoding, tracker)
    return read_rows(chunks, source.format, config.text_column, source.name)


def split_chunks(chunks: Iterable[str], split: DocumentSplit) -> Iterator[Block]:
    r"""Split one text that arrives in pieces into documents.

    - `"line"`: Each line, without its `\n`.
    - `"blank-line"`: The lines between two blank lines, without a `\n` at either end. A line of
      white space counts as blank.
    - `"none"`, `"file"`: The whole text.

    Args:
        chunks: The text in order. The cuts make no difference to the documents.
        split: Where documents end.

    Returns:
        An iterator over blocks of the documents that have a visible character. Memory holds one
        line, or the lines between two blank ones, but not the whole text.

    Example:
        >>> list(split_chunks(["one\n\nt", "wo\n"], "line"))
        [['one', ''], ['two', '']]
    """
    if split == "line":
        return _lines(chunks)
    if split == "blank-line":
        return _paragraphs(chunks)
    return _whole(chunks)


def _is_blank(text: str) -> bool:
    return not text or text.isspace()


def _join_texts(texts: Iterable[Iterable[str]]) -> Iterator[str]:
    """Chain the texts, with a line end between two if the first lacks it."""
    last = "\n"
    for text in texts:
        at_start = True
        for chunk in filter(None, text):
            if at_start and last != "\n":
                yield "\n"
            at_start = False
            last = chunk[-1]
            yield chunk


def _whole(chunks: Iterable[str]) -> Iterator[Block]:
    chunks = iter(chunks)
    # White space is held back until a visible character makes it part of a document.
    blank: list[str] = []
    for chunk in chunks:
        blank.append(chunk)
        if not _is_blank(chunk):
            yield ["".join(blank)]
            for rest in chunks:
                yield [rest]
            yield ["", ""]


def _lines(chunks: Iterable[str]) -> Iterator[Block]:
    # str.splitlines would also cut at form feeds and other marks, which may be in a line.
    for text in cut_after(chunks, "\n"):
        yield [*(line for line in text.split("\n") if not _is_blank(line)), ""]


def _paragraphs(chunks: Iterable[str]) -> Iterator[Block]:
    paragraph: list[str] = []
    for text in cut_after(chunks, "\n"):
        documents = []
        for line in text.removesuffix("\n").split("\n"):
            if not _is_blank(line):
                paragraph.append(line)
            elif paragraph:
                documents.append("\n".join(paragraph))
                paragraph = []
        yield [*documents, ""]
    if paragraph:
        yield ["\n".join(paragraph), ""]

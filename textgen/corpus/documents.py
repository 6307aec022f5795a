"""Where one document ends and the next begins.

Documents are handed on in blocks, because one may be larger than memory, and millions of them
may be a line each. A block is what `str.split` would make of a piece of the corpus, were there
a mark at the end of every document: `["a", "b", ""]` ends two documents, and the last text of a
block goes on in the first of the next. No document is empty.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from textgen.config import CorpusConfig, DocumentSplit
from textgen.corpus.cleaning import clean, clean_chunks, cut_after
from textgen.corpus.decoding import read_text
from textgen.corpus.meter import Meter
from textgen.corpus.sources import Source
from textgen.corpus.tables import read_rows

Block = list[str]


def read_blocks(
    sources: Iterable[Source], config: CorpusConfig, meter: Meter | None = None
) -> Iterator[Block]:
    """Yield the cleaned documents of a corpus.

    Documents never reach across two files, except with `split_documents="none"`, where text
    files that follow each other are one document. A row of a table is treated as a file is.

    Args:
        sources: what to read, in order; from `find_files`.
        config: encoding, cleaning, text column, and where to split.
        meter: takes note of the bytes as they are read.

    Returns:
        An iterator over blocks. Documents without a visible character are left out, so it may
        be empty.

    Raises:
        ConfigError: Python knows no text encoding of the config's name.
        CorpusError: a source cannot be read or decoded, or a table is malformed.
    """
    split = config.split_documents
    for is_table, group in itertools.groupby(sources, lambda source: source.format != "text"):
        if is_table:
            rows = (row for source in group for row in _read_rows(source, config, meter))
            texts: Iterable[Iterable[str]] = ([clean(row, config)] for row in rows)
        else:
            # Files are cleaned one by one, so that an unclosed tag in one cannot swallow the
            # next, and before they are split, because a tag may lie across several lines.
            texts = (
                clean_chunks(read_text(source, config.encoding, meter), config) for source in group
            )
            if split == "none":
                texts = [_join_texts(texts)]
        for text in texts:
            yield from split_chunks(text, split)


def _read_rows(source: Source, config: CorpusConfig, meter: Meter | None) -> Iterator[str]:
    chunks = read_text(source, config.encoding, meter)
    return read_rows(chunks, source.format, config.text_column, source.name)


def split_chunks(chunks: Iterable[str], split: DocumentSplit) -> Iterator[Block]:
    r"""Split one text that arrives in pieces into documents.

    - `"line"`: each line, without its `\n`.
    - `"blank-line"`: each block of lines between blank ones, without a `\n` at its ends. A line
      of white space is blank.
    - `"none"`, `"file"`: the text as it is.

    Args:
        chunks: the text, in order. Where it is cut makes no difference to the documents.
        split: where documents end.

    Returns:
        An iterator over blocks of the documents that hold a visible character. A line, or the
        lines between blank ones, is in memory as a whole; a text is not.
    """
    if split == "line":
        return _lines(chunks)
    if split == "blank-line":
        return _paragraphs(chunks)
    return _whole(chunks)


def _is_blank(text: str) -> bool:
    return not text or text.isspace()


def _join_texts(texts: Iterable[Iterable[str]]) -> Iterator[str]:
    """Chain the texts, with a line end between where the earlier one lacks it."""
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
    # White space is held back until something visible makes it part of a document.
    blank: list[str] = []
    for chunk in chunks:
        blank.append(chunk)
        if not _is_blank(chunk):
            yield ["".join(blank)]
            for rest in chunks:
                yield [rest]
            yield ["", ""]


def _lines(chunks: Iterable[str]) -> Iterator[Block]:
    # str.splitlines would also cut at form feeds and other marks that a line may well hold.
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

"""Where one document ends and the next begins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from textgen.config import CorpusConfig, DocumentSplit
from textgen.corpus.cleaning import clean_chunks
from textgen.corpus.decoding import read_text
from textgen.corpus.sources import Source, find_files


def iter_documents(paths: Sequence[str | os.PathLike[str]], config: CorpusConfig) -> Iterator[str]:
    """Yield the cleaned documents of a corpus, one at a time.

    Documents never reach across two files, except with `split_documents="none"`, where the whole
    corpus is one document.

    Args:
        paths: as for `find_files`.
        config: encoding, cleaning, and where to split.

    Returns:
        An iterator over documents, in order. Those without a visible character are left out, so
        it may be empty.

    Raises:
        ConfigError: Python knows no text encoding of the config's name.
        CorpusError: a source cannot be found, read or decoded.
    """
    yield from documents_of(find_files(paths, encoding=config.encoding), config)


def documents_of(sources: Iterable[Source], config: CorpusConfig) -> Iterator[str]:
    """Yield the cleaned documents of sources already found.

    Args:
        sources: what to read, in order.
        config: encoding, cleaning, and where to split.

    Returns:
        An iterator over documents, as `iter_documents` yields them.

    Raises:
        ConfigError: Python knows no text encoding of the config's name.
        CorpusError: a source cannot be read or decoded.
    """
    # Files are cleaned one by one, so that an unclosed tag in one cannot swallow the next, and
    # before they are split, because a tag or a script may lie across several lines.
    texts = (clean_chunks(read_text(source, config.encoding), config) for source in sources)
    if config.split_documents == "none":
        yield from split_chunks(_join_texts(texts), "none")
    else:
        for text in texts:
            yield from split_chunks(text, config.split_documents)


def split_chunks(chunks: Iterable[str], split: DocumentSplit) -> Iterator[str]:
    r"""Split one text that arrives in pieces into documents.

    - `"line"`: each line, without its `\n`.
    - `"blank-line"`: each block of lines between blank ones, without a `\n` at its ends. A line
      of white space is blank.
    - `"none"`, `"file"`: the text as it is.

    Args:
        chunks: the text, in order. Where it is cut makes no difference to the result.
        split: where documents end.

    Returns:
        An iterator over the documents that hold a visible character.
    """
    if split == "line":
        documents = _lines(chunks)
    elif split == "blank-line":
        documents = _blocks(_lines(chunks))
    else:
        documents = iter(["".join(chunks)])
    return (document for document in documents if not _is_blank(document))


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


def _lines(chunks: Iterable[str]) -> Iterator[str]:
    # str.splitlines would also cut at form feeds and other marks that a line may well hold.
    pending: list[str] = []
    for chunk in chunks:
        first, *others = chunk.split("\n")
        pending.append(first)
        if others:
            yield "".join(pending)
            yield from others[:-1]
            pending = [others[-1]]
    if rest := "".join(pending):
        yield rest


def _blocks(lines: Iterable[str]) -> Iterator[str]:
    block: list[str] = []
    for line in lines:
        if not _is_blank(line):
            block.append(line)
        elif block:
            yield "\n".join(block)
            block = []
    if block:
        yield "\n".join(block)

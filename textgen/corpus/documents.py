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

from textgen.config import DOCUMENT_SPLITS, CorpusConfig
from textgen.corpus.bad_rows import BadRows
from textgen.corpus.cleaning import clean, clean_chunks, cut_after
from textgen.corpus.decoding import read_text
from textgen.corpus.editing import Editor
from textgen.corpus.exchanges import ExchangeMaker
from textgen.corpus.json_rows import Dialogue
from textgen.corpus.notices import Notices
from textgen.corpus.sources import Source
from textgen.corpus.tables import read_records
from textgen.corpus.tracking import SourceTracker
from textgen.errors import CorpusError

Block = list[str]


def read_blocks(
    sources: Iterable[Source],
    config: CorpusConfig,
    tracker: SourceTracker | None = None,
    notices: Notices | None = None,
    editor: Editor | None = None,
    maker: ExchangeMaker | None = None,
) -> Iterator[Block]:
    """Yield the cleaned documents of a corpus.

    A document never spans two files, except with `split_documents="none"`, which joins
    consecutive text files into one document. Each row of a table is treated like a file, and a
    row with a prompt is one document; see `textgen.corpus.exchanges`.

    Args:
        sources: The sources in order, from `find_files`.
        config: Encoding, cleaning, text column and document split.
        tracker: Counts the bytes as they are read.
        notices: Collects warnings about files and rows.
        editor: Replaces personal data before cleaning, which may remove what it is recognized by.
        maker: Makes documents of rows with a prompt. Defaults to one that makes ordinary
            texts of them.

    Returns:
        An iterator over blocks. Documents without a visible character are skipped, so there may
        be none.

    Raises:
        ConfigError: If Python has no text encoding of the config's name.
        CorpusError: If a source cannot be read or decoded, or a table is malformed.
    """
    separator = _Separator(config.split_documents, config)
    editor = Editor(config) if editor is None else editor
    maker = ExchangeMaker(config, editor) if maker is None else maker
    for is_table, group in itertools.groupby(sources, lambda source: source.format != "text"):
        if is_table:
            for source in group:
                yield from _read_table(source, config, tracker, notices, maker, separator)
            continue
        # Files are cleaned one by one, so that an unclosed tag in one cannot swallow the
        # next, and before they are split, because a tag may span several lines.
        files = [
            (
                source,
                clean_chunks(
                    editor.redact_chunks(read_text(source, config.encoding, tracker, notices)),
                    config,
                ),
            )
            for source in group
        ]
        if config.split_documents == "none":
            files = [(files[0][0], _join_texts(text for _, text in files))]
        for source, text in files:
            blocks = _split(text, config.split_documents, separator)
            if config.label_files:
                documents = join_blocks(blocks)
                blocks = _whole_documents(maker.labeled(source.stem, each) for each in documents)
            yield from blocks
    if config.split_documents not in DOCUMENT_SPLITS and not separator.was_found:
        raise CorpusError(
            f"split_documents must be {', '.join(DOCUMENT_SPLITS)} or a line that separates "
            f"documents. Received: {config.split_documents!r}, which is no line of the corpus"
        )


def _read_table(
    source: Source,
    config: CorpusConfig,
    tracker: SourceTracker | None,
    notices: Notices | None,
    maker: ExchangeMaker,
    separator: _Separator,
) -> Iterator[Block]:
    """Yield the documents of a table."""
    notices = Notices() if notices is None else notices
    bad_rows = BadRows(source.name, config.skip_bad_rows, notices)
    records = read_records(
        read_text(source, config.encoding, tracker, notices),
        source.format,
        config.columns,
        source.name,
        config.skip_bad_rows,
        notices,
    )
    for record in records:
        if isinstance(record, Dialogue):
            yield from _whole_documents([maker.talked(record, bad_rows)])
        elif config.prompt_column is not None:
            yield from _whole_documents([maker.answered(*record)])
        elif config.label_column is not None:
            yield from _whole_documents([maker.labeled(record[0], maker.clean(record[1]))])
        elif config.label_files:
            yield from _whole_documents([maker.labeled(source.stem, maker.clean(record[0]))])
        else:
            yield from _split([maker.clean(record[0])], config.split_documents, separator)


def _whole_documents(documents: Iterable[str | None]) -> Iterator[Block]:
    """Yield a block for each document that there is."""
    for document in documents:
        if document is not None:
            yield [document, ""]


def join_blocks(blocks: Iterable[Block]) -> Iterator[str]:
    """Yield the documents of blocks.

    Example:
        >>> list(join_blocks([["a", "b", "c"], ["d", ""]]))
        ['a', 'b', 'cd']
    """
    pending: list[str] = []
    for block in blocks:
        pending.append(block[0])
        for text in block[1:]:
            if document := "".join(pending):
                yield document
            pending = [text]
    if document := "".join(pending):
        yield document


def split_chunks(chunks: Iterable[str], split: str) -> Iterator[Block]:
    r"""Split one text that arrives in pieces into documents.

    - `"line"`: Each line, without its `\n`.
    - `"blank-line"`: The lines between two blank lines, without a `\n` at either end. A line of
      white space counts as blank.
    - `"none"`, `"file"`: The whole text.
    - Any other text: The lines between two lines that consist of this text.

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
    return _split(chunks, split, _Separator(split, CorpusConfig()))


def _split(chunks: Iterable[str], split: str, separator: _Separator) -> Iterator[Block]:
    if split == "line":
        return _lines(chunks)
    if split in ("none", "file"):
        return _whole(chunks)
    return _between(chunks, separator)


class _Separator:
    """Recognizes the lines between documents.

    Args:
        split: From `CorpusConfig.split_documents`.
        config: How the lines were cleaned.

    Attributes:
        was_found: Whether there was such a line.

    Raises:
        CorpusError: If nothing is left of the separator after cleaning.
    """

    def __init__(self, split: str, config: CorpusConfig) -> None:
        self._text = "" if split == "blank-line" else clean(split, config).strip()
        self.was_found = False
        if split not in DOCUMENT_SPLITS and not self._text:
            raise CorpusError(
                f"split_documents must not be removed by cleaning. Received: {split!r}"
            )

    def __call__(self, line: str) -> bool:
        is_separator = line.strip() == self._text
        self.was_found |= is_separator
        return is_separator


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


def _between(chunks: Iterable[str], separator: _Separator) -> Iterator[Block]:
    document: list[str] = []

    def end() -> Iterator[str]:
        text = "\n".join(document).strip("\n")
        document.clear()
        if not _is_blank(text):
            yield text

    for text in cut_after(chunks, "\n"):
        documents: list[str] = []
        for line in text.removesuffix("\n").split("\n"):
            if separator(line):
                documents += end()
            else:
                document.append(line)
        yield [*documents, ""]
    yield [*end(), ""]

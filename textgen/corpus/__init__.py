"""Reads files, folders, globs, tables and standard input into cleaned documents.

    find_files -> read_text -> read_rows -> clean_chunks -> split_chunks -> read_blocks
        -> DocumentStore -> read_corpus

Every step works on pieces of about a MiB, so a corpus may be larger than memory.
"""

from textgen.corpus.cleaning import clean, clean_chunks
from textgen.corpus.corpus import Corpus, describe, read_corpus
from textgen.corpus.decoding import decode_chunks, read_text
from textgen.corpus.document_store import Part
from textgen.corpus.documents import Block, join_blocks, read_blocks, split_chunks
from textgen.corpus.duplicates import DuplicateFinder
from textgen.corpus.encoding import check_encoding
from textgen.corpus.exchanges import MARK, Exchange, ExchangeMaker, Render, to_exchanges
from textgen.corpus.facts import CLEANED_BY, CorpusFacts
from textgen.corpus.file_search import find_files, find_parts
from textgen.corpus.notices import Notices
from textgen.corpus.personal_data import find_personal_data, redact
from textgen.corpus.sources import Source, digest_sources, file_names
from textgen.corpus.tables import read_rows
from textgen.corpus.tracking import SourceTracker

__all__ = [
    "CLEANED_BY",
    "MARK",
    "Block",
    "Corpus",
    "CorpusFacts",
    "DuplicateFinder",
    "Exchange",
    "ExchangeMaker",
    "Notices",
    "Part",
    "Render",
    "Source",
    "SourceTracker",
    "check_encoding",
    "clean",
    "clean_chunks",
    "decode_chunks",
    "describe",
    "digest_sources",
    "file_names",
    "find_files",
    "find_parts",
    "find_personal_data",
    "join_blocks",
    "read_blocks",
    "read_corpus",
    "read_rows",
    "read_text",
    "redact",
    "split_chunks",
    "to_exchanges",
]

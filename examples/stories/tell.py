"""Learn from short fables, then tell new ones."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path

import textgen

CORPUS = Path(__file__).with_name("fables.txt")
PROMPT = "Once upon a time"


class Narrator(textgen.Reporter):
    """Prints how far training is."""

    def validation(self, validation: textgen.Validation) -> None:
        """Print one line for each validation."""
        print(f"step {validation.step}: {validation.bits_per_character:.2f} bits/character")


def describe(generation: textgen.Generation) -> str:
    """Return how a text ended."""
    if generation.finish_reason == "length":
        return "[length] cut off at the limit"
    return "[stop] complete"


def main() -> None:
    """Train, then tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="optimizer steps (%(default)s)")
    parser.add_argument("--size", default="small", choices=["tiny", "small", "base"])
    parser.add_argument("--models-dir", help="where the model is kept (a temporary folder)")
    args = parser.parse_args()

    config = textgen.RunConfig(
        corpus=textgen.CorpusConfig(split_documents="blank-line"),
        model=textgen.ModelConfig.of_size("transformer", args.size),
        training=textgen.TrainingConfig(max_steps=args.steps),
    )
    with contextlib.ExitStack() as stack:
        models_dir = args.models_dir or stack.enter_context(tempfile.TemporaryDirectory())
        textgen.train([CORPUS], "fables", config, models_dir, reporter=Narrator())
        model = stack.enter_context(textgen.load("fables", models_dir))

        corpus = model.card.corpus
        print(f"\nCorpus: {corpus.num_documents} fables, {corpus.num_characters} characters")

        print("\nA sentence, up to its period:")
        for seed in range(3):
            generation = model.generate(
                PROMPT, stop=["."], temperature=0.6, max_new_tokens=300, seed=seed
            )
            print(f"\n{PROMPT}{generation.text}\n{describe(generation)}")

        print("\nA whole fable, which the model ends by itself:")
        generation = model.generate(PROMPT, temperature=0.6, max_new_tokens=1500, seed=0)
        print(f"\n{PROMPT}{generation.text}\n{describe(generation)}")


if __name__ == "__main__":
    main()

"""Learn Python from the source code of the standard library, then generate some."""

from __future__ import annotations

import argparse
import contextlib
import sysconfig
import tempfile
from pathlib import Path

import textgen

MODULES = [
    *["argparse.py", "cmd.py", "collections/__init__.py", "configparser.py", "csv.py"],
    *["json/__init__.py", "json/decoder.py", "json/encoder.py", "queue.py", "sched.py"],
    *["shlex.py", "string.py", "textwrap.py"],
]
PROMPT = "def"


class Narrator(textgen.Reporter):
    """Prints how far training is."""

    def validation(self, validation: textgen.Validation) -> None:
        """Print one line for each validation."""
        print(f"step {validation.step}: {validation.bits_per_character:.2f} bits/character")


def sources() -> list[Path]:
    """Return the files of `MODULES` in the Python that runs this script."""
    library = Path(sysconfig.get_path("stdlib"))
    return [path for path in (library / module for module in MODULES) if path.is_file()]


def show(generation: textgen.Generation) -> None:
    """Print a text and how it ended."""
    end = {"stop": "complete", "length": "cut off at the limit"}
    reason = generation.finish_reason
    print(f"\n{generation.prompt}{generation.text.rstrip()}\n[{reason}] {end[reason]}")


def main() -> None:
    """Train, then generate signatures and functions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="optimizer steps (%(default)s)")
    parser.add_argument("--size", default="small", choices=["tiny", "small", "base"])
    parser.add_argument("--models-dir", help="where the model is kept (a temporary folder)")
    args = parser.parse_args()

    files = sources()
    if not files:
        parser.exit(1, "This Python comes without the sources of its standard library.\n")
    config = textgen.RunConfig(
        model=textgen.ModelConfig.of_size("transformer", args.size),
        training=textgen.TrainingConfig(max_steps=args.steps),
    )
    with contextlib.ExitStack() as stack:
        models_dir = args.models_dir or stack.enter_context(tempfile.TemporaryDirectory())
        textgen.train(files, "python", config, models_dir, reporter=Narrator())
        model = stack.enter_context(textgen.load("python", models_dir))

        characters = model.card.corpus.num_characters
        print(f"\nCorpus: {len(files)} modules of the standard library, {characters} characters")

        print("\nA signature, up to its colon:")
        for seed in range(4):
            show(model.generate(PROMPT, stop=[":"], temperature=0.6, max_new_tokens=150, seed=seed))

        print("\nA function, up to the blank line after it:")
        for seed in range(2):
            show(
                model.generate(
                    PROMPT, stop=["\n\n"], temperature=0.6, max_new_tokens=800, seed=seed
                )
            )


if __name__ == "__main__":
    main()

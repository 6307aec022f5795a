"""What the scripts of this folder share: options, training, and the score of exact answers."""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import textgen

FOLDER = Path(__file__).parent


class Narrator(textgen.Reporter):
    """Prints how far training is."""

    def validation(self, validation: textgen.Validation) -> None:
        """Print one line for each validation."""
        print(f"step {validation.step}: loss {validation.validation_loss:.3f}")


@contextlib.contextmanager
def trained(description: str | None, name: str, **settings: Any) -> Iterator[textgen.TextGenerator]:
    """Train on a table of this folder with the options of the command line, and open the model.

    Args:
        description: What `--help` prints.
        name: The table's file.
        **settings: Settings of `textgen.train`.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=int, default=120, help="time to train (%(default)s)")
    parser.add_argument("--steps", type=int, help="optimizer steps, instead of a time")
    parser.add_argument(
        "--size", choices=["tiny", "small", "base"], help="size of the model (planned)"
    )
    parser.add_argument("--from", dest="from_model", help="a model to begin from")
    parser.add_argument("--models-dir", help="where the model is kept (a temporary folder)")
    args = parser.parse_args()
    given = {"max_steps": args.steps, "size": args.size, "from_model": args.from_model}
    settings |= {key: value for key, value in given.items() if value is not None}
    with contextlib.ExitStack() as stack:
        models_dir = args.models_dir or stack.enter_context(tempfile.TemporaryDirectory())
        table = FOLDER / name
        done = textgen.train(
            [table],
            table.stem,
            models_dir=models_dir,
            time_budget=args.seconds,
            reporter=Narrator(),
            **settings,
        )
        yield stack.enter_context(textgen.load(done.path))


def rows(name: str) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON lines."""
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def score(
    model: textgen.TextGenerator, what: str, pairs: list[tuple[str, str]], shown: int = 3
) -> None:
    """Print some answers at temperature 0, and how many are exactly those of the table.

    Args:
        model: An open model.
        what: What the prompts are.
        pairs: Prompts and their answers.
        shown: How many to print.
    """
    answers: list[str] = []
    for start in range(0, len(pairs), 50):
        prompts = [prompt for prompt, _ in pairs[start : start + 50]]
        results = model.generate_batch(prompts, temperature=0.0, max_new_tokens=120)
        answers += [result.text for result in results]
    for (prompt, _), answer in list(zip(pairs, answers, strict=True))[:shown]:
        print(f"\n{prompt}\n  {answer}")
    right = sum(answer == true for (_, true), answer in zip(pairs, answers, strict=True))
    print(f"\n{what}: {right} of {len(pairs)} answered exactly ({right / len(pairs):.1%})")

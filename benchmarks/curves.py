"""Draws learning curves.

    python benchmarks/curves.py race curves.jsonl docs/images/race.svg
    python benchmarks/curves.py runs saved_models/verse saved_models/code docs/images/runs.svg

`race` draws what `quality.py race --output curves.jsonl` measured, the loss over time;
`runs` the validations of runs of `textgen train`. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
# The same file each time it is drawn, with its words as text.
matplotlib.rcParams |= {"svg.hashsalt": "textgen", "svg.fonttype": "none", "font.size": 11}

from matplotlib import pyplot as plt  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("race", "runs"))
    parser.add_argument("inputs", type=Path, nargs="+", help="a file of curves, or model folders")
    parser.add_argument("output", type=Path, help="SVG file")
    args = parser.parse_args()
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    if args.what == "race":
        _draw_race(axes, args.inputs[0])
    else:
        _draw_runs(axes, args.inputs)
    axes.grid(color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(args.output, metadata={"Date": None})


def _draw_race(axes: Any, curves: Path) -> None:
    for curve in _read_lines(curves):
        points = curve["points"]
        axes.plot(
            [point["seconds"] for point in points],
            [point["validation_loss"] for point in points],
            label=f"{curve['label']}: {points[-1]['validation_loss']:.3f}",
        )
    axes.set_xlabel("seconds from the start, imports and compilation included")
    axes.set_ylabel("validation loss, nats per character")
    axes.set_xlim(left=0)
    axes.set_ylim(top=3)


def _draw_runs(axes: Any, folders: list[Path]) -> None:
    for folder in folders:
        validations = _read_lines(folder / "train" / "history.jsonl")
        steps = [validation["step"] for validation in validations]
        bits = [validation["bits_per_character"] for validation in validations]
        # Of the validation text, whose tokens have so many characters.
        bits_a_nat = bits[-1] / validations[-1]["validation_loss"]
        line = axes.plot(
            steps, bits, marker="o", markersize=3, label=f"{folder.name}: {min(bits):.2f}"
        )
        training = [validation["loss"] * bits_a_nat for validation in validations]
        axes.plot(steps, training, color=line[0].get_color(), linestyle=":")
    axes.set_xlabel("steps")
    axes.set_ylabel("bits per character; dotted: in training")


def _read_lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        sys.exit(f"{path}: cannot be read ({error.strerror}).")


if __name__ == "__main__":
    main()

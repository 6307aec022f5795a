"""What each choice of the recipe is worth: variants trained in turn on one text.

    python benchmarks/recipe.py corpus.txt --variants base,learned,linear+rotary --seeds 0,1
    python benchmarks/recipe.py corpus.txt --model lstm --variants base,norm --vocab-size 0

A variant differs from what textgen does (`base`) in the settings that `variants.py` names, for
the LSTM `lstm_variants.py`;
`a+b` has those of both, and `learning_rate=3e-2` sets one number. Every run prints a line of
JSON when it ends, and a table follows the last. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
# The textgen of this checkout, whatever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import lstm_variants
import numpy as np
import tensorflow as tf
import variants

from textgen.config import ModelConfig, TrainingConfig
from textgen.tokenizer import learn_tokenizer
from textgen.training import step
from textgen.training.schedule import schedule_of
from textgen.windows import TrainingWindows, ValidationWindows

KINDS = {"transformer": variants, "lstm": lstm_variants}
VALIDATION_SPLIT = 0.1
STEPS_A_CALL = 10


def main() -> None:
    args = _parse_args()
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    corpus = _read_tokens(args)
    base: dict[int, float] = {}
    table = [f"{'variant':32}{'seed':>5}{'nats/char':>11}{'bits':>8}{'to first':>10}{'ms':>8}"]
    table[0] += f"{'carried':>9}" if args.model == "lstm" else ""
    for seed in args.seeds:
        for name in args.variants:
            nats, carried, milliseconds = _train(args, _read_settings(args, name), seed, *corpus)
            bits, change = nats / math.log(2), nats - base.setdefault(seed, nats)
            line = {"corpus": args.corpus.name, "variant": name, "seed": seed, "steps": args.steps}
            line |= {"nats": nats, "bits": bits, "ms": milliseconds}
            line |= {} if carried is None else {"carried": carried}
            print(json.dumps(line), flush=True)
            table.append(
                f"{name:32}{seed:5}{nats:11.4f}{bits:8.4f}{change:+10.4f}{milliseconds:8.1f}"
            )
            table[-1] += "" if carried is None else f"{carried:9.4f}"
    print("", *table, sep="\n")


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path, help="text file in UTF-8")
    parser.add_argument("--variants", type=lambda text: text.split(","), default=["base"])
    parser.add_argument("--seeds", type=lambda text: [*map(int, text.split(","))], default=[0])
    parser.add_argument("--model", choices=KINDS, default="transformer")
    numbers = {"steps": 800, "layers": 4, "heads": 4, "width": 128, "context": 64, "batch": 16}
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default, help="default: %(default)s")
    parser.add_argument("--vocab-size", type=int, default=2048, help="0: characters")
    parser.add_argument("--min-count", type=int, default=1, help="of characters")
    parser.add_argument("--dropout", type=float, default=0.0, help="not for other Transformers")
    return parser.parse_args()


def _read_settings(args: argparse.Namespace, name: str):
    """Return the settings of a variant, of several, `a+b`, or of a number, `learning_rate=3e-2`."""
    changes: dict[str, Any] = {}
    for part in name.split("+"):
        field, _, number = part.partition("=")
        changes |= {field: float(number)} if number else KINDS[args.model].VARIANTS[part]
    return KINDS[args.model].Settings(**changes)


def _read_tokens(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, int, float]:
    """Return training and validation tokens, the vocabulary's size, and tokens per character."""
    text = args.corpus.read_text("utf-8")
    cut = len(text) - int(len(text) * VALIDATION_SPLIT)
    kind = "bpe" if args.vocab_size else "character"
    learned = learn_tokenizer(lambda: [text[:cut]], kind, args.vocab_size or None, args.min_count)
    train, validation = learned.encode(text[:cut]), learned.encode(text[cut:])
    return train, validation, learned.vocab_size, len(validation) / (len(text) - cut)


def _train(args, settings, seed: int, train, validation, vocab_size: int, ratio: float):
    """Return the validation loss after all steps in nats per character, and a step's milliseconds.

    Between them, of an LSTM, the loss of a state that is carried from window to window.
    """
    kind, is_lstm = KINDS[args.model], args.model == "lstm"
    stages = _stages(args, settings)
    steps = sum(stage.end - stage.first for stage in stages)
    config = TrainingConfig(
        max_steps=steps, batch_size=args.batch, seed=seed, clip_norm=settings.clip_norm
    )
    # As many weights in three matrices as in the usual two.
    swiglu = not is_lstm and settings.activation == "swiglu"
    inner = 8 * round(args.width / 3) if swiglu else None
    heads = {} if is_lstm else {"num_heads": args.heads, "intermediate_dim": inner}
    shape = ModelConfig(
        args.model,
        num_layers=args.layers,
        hidden_dim=args.width,
        context_length=args.context,
        dropout=args.dropout,
        **heads,
    )
    step.build_model, step.build_optimizer = kind.builders(settings, args.batch)
    learner = step.Step(shape, config, vocab_size, tf.distribute.get_strategy())
    schedule = schedule_of(config)
    times, means, done = [], Means(learner.model.trainable_variables), 0
    for stage in stages:
        if len(stages) > 1:
            # The same variables; the graphs are made for batches of one size.
            learner._config = dataclasses.replace(config, batch_size=stage.batch)
            learner._compile(dataclasses.replace(shape, context_length=stage.context))
        windows = TrainingWindows(train, stage.context, stage.batch, seed)
        if is_lstm and settings.carry:
            windows = lstm_variants.Streams(train, stage.context, stage.batch)
        for first in range(stage.first, stage.end, STEPS_A_CALL):
            count = min(STEPS_A_CALL, stage.end - first)
            if done > steps * (1 - settings.mean):
                means.add()
            started = time.perf_counter()
            rates = schedule.fractions(done, count)
            learner.run(windows.batches(first, count), done, rates)
            times.append(1000 * (time.perf_counter() - started) / count)
            done += count
    if means.count:
        means.put_in()
    held_out = ValidationWindows(validation, args.context, 64)
    total = sum(float(learner.validate(*batch)[0]) for batch in held_out)
    carried = None
    if is_lstm:
        carried = ratio * lstm_variants.carried_loss(learner.model, validation, args.context)
    return total / held_out.num_targets * ratio, carried, statistics.median(times)


class Stage(NamedTuple):
    """Steps on batches of one size; `first` and `end` count batches of that size."""

    batch: int
    context: int
    first: int
    end: int


def _stages(args: argparse.Namespace, settings) -> list[Stage]:
    """Return one stage, or two that read half of the tokens each; all read as many."""
    batch, context = settings.first_batch or args.batch, settings.first_context or args.context
    if (batch, context) == (args.batch, args.context):
        return [Stage(batch, context, 0, args.steps)]
    half = args.steps // 2
    first = Stage(batch, context, 0, half * args.batch * args.context // (batch * context))
    return [first, Stage(args.batch, args.context, half, args.steps)]


class Means:
    """The mean of what variables were, each time `add` was called."""

    def __init__(self, variables) -> None:
        self.variables, self.count = variables, 0
        self.sums = [np.zeros(v.shape) for v in variables]

    def add(self) -> None:
        self.count += 1
        for total, variable in zip(self.sums, self.variables, strict=True):
            total += np.asarray(variable)

    def put_in(self) -> None:
        for total, variable in zip(self.sums, self.variables, strict=True):
            variable.assign(total / self.count)


if __name__ == "__main__":
    main()

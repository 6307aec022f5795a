"""`textgen train`: from text files to a SavedModel."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from textgen.cli import options

from textgen.catalog import check_name
from textgen.config import CorpusConfig, ModelConfig, RunConfig, TrainingConfig

if TYPE_CHECKING:
    from textgen.pipeline import Trained

_CORPUS = CorpusConfig()
_TRAINING = TrainingConfig()
_CORPUS_FIELDS = tuple(_CORPUS.to_dict())
_TRAINING_FIELDS = tuple(_TRAINING.to_dict())
_MODEL_FIELDS = ("num_layers", "num_heads", "hidden_dim", "context_length", "dropout")


def _group(*decorators: Callable) -> Callable:
    """Apply decorators in the order in which their options should stand in --help."""

    def decorate(function: Callable) -> Callable:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


_corpus_options = _group(
    click.option("--encoding", default=_CORPUS.encoding, show_default=True, help="Of the files."),
    click.option("--lowercase", is_flag=True, help="Turn all letters to lower case."),
    click.option("--strip-html", is_flag=True, help="Remove HTML tags; decode entities."),
    click.option("--strip-punctuation", is_flag=True, help="Remove punctuation."),
    click.option(
        "--normalize",
        type=click.Choice(["none", "nfc", "nfkc"]),
        default=_CORPUS.normalize,
        show_default=True,
        help="Unicode normalization.",
    ),
    click.option(
        "--split-documents",
        type=click.Choice(["none", "line", "blank-line", "file"]),
        default=_CORPUS.split_documents,
        show_default=True,
        help="Where a document ends; the model learns to begin and to end one.",
    ),
    click.option(
        "--text-column",
        metavar="NAME",
        help="CSV column or JSON Lines key of the text; a row is a document.  [default: text]",
    ),
    click.option(
        "--validation-split",
        type=float,
        default=_CORPUS.validation_split,
        show_default=True,
        help="Share of the corpus, at its end, kept for validation.",
    ),
    click.option(
        "--tokenizer",
        type=click.Choice(["auto", "character", "bpe"]),
        default="auto",
        show_default=True,
        help="bpe: byte pairs, parts of words. auto: by model, corpus size and script.",
    ),
    click.option("--vocab-size", type=int, help="Of bpe.  [default: by corpus size]"),
    click.option(
        "--min-count",
        type=int,
        default=1,
        show_default=True,
        help="Characters seen less often become the unknown token.",
    ),
)

_model_options = _group(
    click.option(
        "--model",
        "architecture",
        type=click.Choice(["transformer", "lstm"]),
        default="transformer",
        show_default=True,
        help="Which kind of model.",
    ),
    click.option(
        "--size",
        type=click.Choice(list(ModelConfig.SIZES["transformer"])),
        help="Sets the first four below.  [default: planned]",
    ),
    click.option("--num-layers", type=int, help="LSTM layers or Transformer blocks."),
    click.option("--num-heads", type=int, help="Attention heads a block."),
    click.option("--hidden-dim", type=int, help="Width of the model."),
    click.option("--context-length", type=int, help="Tokens the model sees at once."),
    click.option("--dropout", type=float, help="Share of activations dropped in training."),
)

_training_options = _group(
    click.option("--max-steps", type=int, help="Optimizer steps.  [default: planned]"),
    click.option(
        "--batch-size", type=int, help="Windows a step, over all devices.  [default: planned]"
    ),
    click.option(
        "--accumulate",
        type=int,
        default=_TRAINING.accumulate,
        show_default=True,
        help="Split the batch into so many parts, one after the other, to save memory.",
    ),
    click.option("--learning-rate", type=float, help="Peak.  [default: the optimizer's own]"),
    click.option(
        "--optimizer",
        type=click.Choice(["auto", "muon", "adamw"]),
        default=_TRAINING.optimizer,
        show_default=True,
        help="auto: Muon for the Transformer, AdamW for the LSTM.",
    ),
    click.option("--warmup-steps", type=int, help="[default: 5 % of the steps, up to 100]"),
    click.option("--weight-decay", type=float, default=_TRAINING.weight_decay, show_default=True),
    click.option("--clip-norm", type=float, default=_TRAINING.clip_norm, show_default=True),
    click.option("--seed", type=int, default=_TRAINING.seed, show_default=True),
    click.option("--validate-every", type=int, help="Steps.  [default: planned]"),
    click.option("--patience", type=int, help="Stop after so many validations without a gain."),
    click.option("--mixed-precision", is_flag=True, help="Compute in bfloat16."),
    click.option(
        "--strategy",
        type=click.Choice(["auto", "none", "mirrored", "multi-worker"]),
        default=_TRAINING.strategy,
        show_default=True,
        help="auto: all GPUs of this machine. multi-worker: reads TF_CONFIG.",
    ),
    click.option(
        "--jit-compile/--no-jit-compile",
        default=None,
        help="Compile the step with XLA.  [default: where it pays]",
    ),
    click.option(
        "--keep-checkpoints",
        type=int,
        default=_TRAINING.keep_checkpoints,
        show_default=True,
        help="How many of the newest stay on disk.",
    ),
)


_planning_options = _group(
    click.option(
        "--time-budget",
        type=options.Duration(),
        metavar="TIME",
        help="Plan a run of about so long, 90s, 10m or 1h.  [default: 5m; with a GPU 10m]",
    ),
    click.option("--dry-run", is_flag=True, help="Only say what the plan is."),
)


@click.command()
@click.argument("corpus", nargs=-1, metavar="CORPUS...")
@click.option("--name", help="Of the model.  [default: the corpus file's stem]")
@_planning_options
@_model_options
@_corpus_options
@_training_options
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint of the model's run.")
@click.option("--tensorboard", is_flag=True, help="Also write TensorBoard's event files.")
@options.models_dir
@click.pass_context
def train(
    ctx: click.Context,
    corpus: tuple[str, ...],
    name: str | None,
    time_budget: float | None,
    dry_run: bool,
    resume: bool,
    tensorboard: bool,
    models_dir: str | None,
    **settings: Any,
) -> None:
    """Train a model on CORPUS: files, folders, globs, or - for standard input.

    Plans size and length of the run by corpus, machine and time; what is set by an
    option is kept. Writes the next version of the model, a SavedModel, to
    saved_models/NAME. Ctrl-C stops early and still exports the best model so far.
    """
    started = time.monotonic()
    if not corpus and not (resume and name):
        raise click.UsageError("Name a corpus to train on: textgen train corpus.txt")
    is_planned = not resume and settings["strategy"] != "multi-worker"
    if (time_budget is not None or dry_run) and not is_planned:
        raise click.UsageError(
            "--time-budget and --dry-run are for new runs, and not for several workers: "
            "leave out --resume and --strategy multi-worker."
        )
    name = check_name(name if name is not None else _default_name(corpus[0]))
    config = _config(settings)
    given = {key: settings[key] for key in settings if _was_given(ctx, key)}
    if "size" in given:
        given |= ModelConfig.SIZES[config.model.architecture][given.pop("size")]
    fixed = frozenset({*_MODEL_FIELDS, *_TRAINING_FIELDS} & given.keys())
    from textgen.corpus import find_files

    # Before anything slow: whoever mistyped a name should know at once.
    if corpus:
        find_files(corpus, encoding=config.corpus.encoding)
    load_tensorflow()
    from textgen.cli.progress import make_reporter

    from textgen import pipeline
    from textgen.planning import Planning

    planning = Planning(fixed, time_budget, started) if is_planned else None
    if dry_run:
        with make_reporter() as reporter:
            plan = pipeline.plan(
                corpus, name, config, models_dir, planning=planning, reporter=reporter
            )
        click.echo(plan)
        return
    with stop_on_interrupt() as should_stop, make_reporter() as reporter:
        shared = {"tensorboard": tensorboard, "reporter": reporter, "should_stop": should_stop}
        if resume:
            trained = pipeline.resume(name, given, corpus, models_dir, **shared)
        else:
            trained = pipeline.train(corpus, name, config, models_dir, planning=planning, **shared)
    report(trained)


def report(trained: Trained) -> None:
    """Say what came out and what to do with it."""
    outcome = trained.outcome
    if trained.path is None:
        return
    reason = {
        "max_steps": "",
        "patience": " (stopped: no gain in validation)",
        "interrupt": " (stopped by Ctrl-C; --resume goes on)",
        "time_budget": " (stopped: the time is over; --resume goes on)",
    }[outcome.ended_by]
    click.echo(
        f"{trained.name}: validation loss {outcome.validation_loss:.3f} after "
        f"{outcome.step:,} steps{reason}. Saved in {trained.path}",
        err=True,
    )
    click.echo(f'Try: textgen generate -m {trained.name} "..."', err=True)


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Make the first Ctrl-C a wish to stop; the second one ends the program.

    Yields:
        A function that tells whether there was one.
    """
    stopped = False

    def handle(signum: int, frame: object) -> None:
        nonlocal stopped
        if stopped:
            raise KeyboardInterrupt
        stopped = True
        click.echo("Stopping: exporting the best so far. Ctrl-C again quits at once.", err=True)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: stopped
    finally:
        signal.signal(signal.SIGINT, before)


def load_tensorflow() -> None:
    """Import TensorFlow without its greetings."""
    from textgen.runtime.banner import hidden_banner

    with hidden_banner(int(os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0"))):
        import tensorflow  # noqa: F401


def _default_name(path: str) -> str:
    if path == "-":
        return "stdin"
    stem = Path(path).resolve().name.removesuffix(".gz")
    # A glob is no name; the folder it looks into is.
    if any(character in stem for character in "*?["):
        stem = Path(path).resolve().parent.name
    return Path(stem).stem or "corpus"


def _config(settings: dict[str, Any]) -> RunConfig:
    model = ModelConfig.of_size(
        settings["architecture"],
        settings["size"] or "small",
        **{field: settings[field] for field in _MODEL_FIELDS},
    )
    return RunConfig(
        corpus=CorpusConfig(**{field: settings[field] for field in _CORPUS_FIELDS}),
        model=model,
        training=TrainingConfig(
            **{field: settings[field] for field in _TRAINING_FIELDS if settings[field] is not None}
        ),
        **{field: settings[field] for field in ("tokenizer", "vocab_size", "min_count")},
    )


def _was_given(ctx: click.Context, parameter: str) -> bool:
    return ctx.get_parameter_source(parameter) is not ParameterSource.DEFAULT

"""The settings of a run as options of `textgen train`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource
from textgen.cli.escapes import unescape
from textgen.cli.options import in_section

from textgen.checks import choices
from textgen.config import PERSONAL_DATA, CorpusConfig, RunConfig, TrainingConfig
from textgen.models import registry

_CORPUS = CorpusConfig()
_RUN = RunConfig()
_TRAINING = TrainingConfig()


_corpus = in_section("Corpus")
_table = in_section("Tables, prompts and labels")
_tokenizer = in_section("Tokenizer")
validating = in_section("Validation")
_model = in_section("Model")
_training = in_section("Training")
tuning = in_section("Beginning from a model (--from)")
on_machine = in_section("Machine")


def _choice(config: type, name: str) -> click.Choice:
    """Return the choices of a setting, from its type."""
    return click.Choice(choices(config, name))


class _Kinds(click.ParamType):
    """Words with commas between them."""

    name = "kinds"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        """Return the words."""
        if isinstance(value, tuple):
            return value
        return tuple(word.strip() for word in value.split(",") if word.strip())


class _Template(click.ParamType):
    """A Jinja template on one line."""

    name = "template"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Return the template with its escapes replaced."""
        text = unescape(value)
        # Jinja drops a newline at the end of a template.
        return text + "\n" if text.endswith("\n") else text


_OPTIONS = (
    _corpus(
        "--encoding",
        default=_CORPUS.encoding,
        show_default=True,
        help="Text encoding of the files.",
    ),
    _corpus("--lowercase", is_flag=True, help="Convert all letters to lower case."),
    _corpus("--strip-html", is_flag=True, help="Remove HTML tags and decode entities."),
    _corpus("--strip-punctuation", is_flag=True, help="Remove punctuation."),
    _corpus(
        "--normalize",
        type=_choice(CorpusConfig, "normalize"),
        default=_CORPUS.normalize,
        show_default=True,
        help="Unicode normalization form.",
    ),
    _corpus(
        "--split-documents",
        metavar="none|line|blank-line|file|TEXT",
        default=_CORPUS.split_documents,
        show_default=True,
        help="Where documents end, or the line between them. The model learns to begin and end "
        "them.",
    ),
    _corpus(
        "--deduplicate",
        is_flag=True,
        help="Leave out documents that are exact or near copies of earlier ones.",
    ),
    _corpus(
        "--redact",
        type=_Kinds(),
        metavar="email,phone,...",
        help=f"Replace personal data by its kind: {', '.join(PERSONAL_DATA)}.",
    ),
    _table(
        "--text-column",
        metavar="NAME",
        help="CSV column or JSON key of the text; each row is a document.  [default: text]",
    ),
    _table(
        "--prompt-column",
        metavar="NAME",
        help="CSV column or JSON key of the prompt. The text is its answer, and only answers are "
        "learned.",
    ),
    _table(
        "--label-column",
        metavar="NAME",
        help="CSV column or JSON key of the text's label, such as its style.",
    ),
    _table("--label-files", is_flag=True, help="Use each file's name as the label of its texts."),
    _table(
        "--template",
        type=_Template(),
        metavar="TEXT",
        help="Jinja template of what comes before an answer, with {{prompt}}; \\n is a line "
        "end.  [default: that of --from, or a plain one]",
    ),
    _table("--skip-bad-rows", is_flag=True, help="Skip and count malformed rows of tables."),
    _tokenizer(
        "--tokenizer",
        type=_choice(RunConfig, "tokenizer"),
        default=_RUN.tokenizer,
        show_default=True,
        help="character, or bpe (parts of words). auto: by model, corpus size and script.",
    ),
    _tokenizer(
        "--vocab-size", type=int, help="Maximum number of BPE tokens.  [default: by corpus size]"
    ),
    _tokenizer(
        "--min-count",
        type=int,
        default=_RUN.min_count,
        show_default=True,
        help="Characters that occur less often become the unknown token.",
    ),
    validating(
        "--validation-split",
        type=float,
        help="Fraction of the corpus, at its end, kept for validation; 0 keeps none.  "
        "[default: 0.1, or 0 if that is too little]",
    ),
    validating("--validate-every", type=int, help="Steps between validations.  [default: planned]"),
    validating(
        "--validation-tokens", type=int, help="Maximum tokens per validation.  [default: planned]"
    ),
    validating(
        "--patience",
        type=int,
        help="Stop after this many validations without improvement.  [default: never]",
    ),
    _model(
        "--model",
        "architecture",
        type=click.Choice(registry.architectures()),
        default=registry.default_architecture(),
        show_default=True,
        help="Kind of model.",
    ),
    _model(
        "--size",
        type=click.Choice(registry.size_names()),
        help="Preset of the four options below.  [default: planned]",
    ),
    _model("--num-layers", type=int, help="Number of layers."),
    _model("--num-heads", type=int, help="Attention heads per block."),
    _model("--hidden-dim", type=int, help="Width of every layer."),
    _model("--context-length", type=int, help="Maximum number of tokens seen at once."),
    _model("--dropout", type=float, help="Fraction of activations dropped in training."),
    _model(
        "--positions",
        type=click.Choice(registry.choices_of("positions")),
        help="Kind of position encoding.  [default: relative]",
    ),
    _training("--max-steps", type=int, help="Number of optimizer steps.  [default: planned]"),
    _training(
        "--epochs",
        type=float,
        help="Passes over the corpus, instead of --max-steps.  [default: planned]",
    ),
    _training(
        "--batch-size", type=int, help="Windows per step, over all devices.  [default: planned]"
    ),
    _training(
        "--learning-rate", type=float, help="Peak learning rate.  [default: the optimizer's]"
    ),
    _training(
        "--optimizer",
        type=_choice(TrainingConfig, "optimizer"),
        default=_TRAINING.optimizer,
        show_default=True,
        help="auto: the one that suits the model.",
    ),
    _training(
        "--schedule",
        type=_choice(TrainingConfig, "schedule"),
        default=_TRAINING.schedule,
        show_default=True,
        help="Learning rate after warmup. auto: cosine with --max-steps or --epochs, otherwise "
        "wsd: constant, then falling to zero when the time runs out.",
    ),
    _training(
        "--warmup-steps",
        type=int,
        help="Steps of linear warmup.  [default: 5% of the steps, up to 100]",
    ),
    _training(
        "--weight-decay",
        type=float,
        default=_TRAINING.weight_decay,
        show_default=True,
        help="Decoupled weight decay of matrices.",
    ),
    _training(
        "--clip-norm",
        type=float,
        default=_TRAINING.clip_norm,
        show_default=True,
        help="Maximum global norm of the gradients.",
    ),
    _training(
        "--seed",
        type=int,
        default=_TRAINING.seed,
        show_default=True,
        help="Seed for initial weights, the order of windows, and dropout.",
    ),
    _training(
        "--window-length",
        type=int,
        help="Tokens per training window.  [default: --context-length; planned with --from]",
    ),
    _training("--teacher", metavar="MODEL", help="A larger model to learn from, too."),
    tuning(
        "--adapter-rank",
        type=int,
        help="Train low-rank adapters (LoRA) of this rank, which need less time and "
        "memory; 0 trains all weights.  [default: planned]",
    ),
    tuning(
        "--freeze-layers",
        type=int,
        default=_TRAINING.freeze_layers,
        show_default=True,
        help="Keep the embeddings and this many of the first layers as they are.",
    ),
    on_machine(
        "--accumulate",
        type=int,
        default=_TRAINING.accumulate,
        help="Number of parts to split each batch into, to save memory.  [default: planned]",
    ),
    on_machine(
        "--mixed-precision/--no-mixed-precision",
        default=None,
        help="Use bfloat16 mixed precision.  [default: if the device is faster with it]",
    ),
    on_machine(
        "--strategy",
        type=_choice(TrainingConfig, "strategy"),
        default=_TRAINING.strategy,
        show_default=True,
        help="auto: all GPUs of this machine. multi-worker: reads TF_CONFIG.",
    ),
    on_machine(
        "--jit-compile/--no-jit-compile",
        default=None,
        help="Compile the step with XLA.  [default: wherever it is faster]",
    ),
    on_machine(
        "--keep-checkpoints",
        type=int,
        default=_TRAINING.keep_checkpoints,
        show_default=True,
        help="Number of newest checkpoints to keep.",
    ),
)


def run_options(command: Callable) -> Callable:
    """Give a command the options of corpus, model and training."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def given_options(ctx: click.Context, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that the user gave, even if they equal the defaults.

    Args:
        ctx: The command's context, which knows the source of each value.
        settings: The values of all options here.
    """
    return {
        name: value
        for name, value in settings.items()
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
    }

"""`textgen generate`: let a model write."""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import click
from textgen.cli import options
from textgen.cli.interrupt import on_interrupt
from textgen.cli.sampling import controls, no_token_left
from textgen.cli.screen import is_terminal, print_text
from textgen.cli.search import search_config, search_options
from textgen.cli.unseen import warn_of_unseen

from textgen.config import SamplingConfig
from textgen.errors import CorpusError

if TYPE_CHECKING:
    from textgen.inference import Generation, TextGenerator

_PROPOSALS = 4
_SAMPLES_A_BATCH = 64


@click.command(cls=options.SectionedCommand)
@click.argument("prompt", required=False)
@options.model
@options.output("-i", "--interactive", is_flag=True, help="It proposes how to go on, you choose.")
@options.output(
    "--stream/--no-stream",
    default=None,
    help="Show the text while it is written.  [default: one text on a terminal]",
)
@options.output("--echo/--no-echo", default=True, show_default=True, help="Show the prompt, too.")
@options.output(
    "--num-samples",
    type=click.IntRange(min=1),
    help="Texts to write; the next one uses the next seed.  "
    f"[default: 1; {_PROPOSALS} proposals with -i]",
)
@options.as_json
@options.output(
    "--logprobs",
    type=int,
    metavar="N",
    help="With --json: the logarithmic probability of every token and of the N likeliest.",
)
@controls
@search_options
@options.models_dir
@click.pass_context
def generate(
    ctx: click.Context,
    prompt: str | None,
    model: str | None,
    num_samples: int | None,
    interactive: bool,
    stream: bool | None,
    echo: bool,
    as_json: bool,
    models_dir: str | None,
    num_beams: int | None,
    length_penalty: float,
    penalty_alpha: float | None,
    **sampling: Any,
) -> None:
    """Continue PROMPT with a trained model.

    PROMPT may come from standard input instead; without any, the model begins anew.
    """
    _check_combination(prompt, num_samples, interactive, stream, as_json, sampling["logprobs"])
    search = search_config(
        ctx,
        {
            "num_beams": num_beams,
            "length_penalty": length_penalty,
            "penalty_alpha": penalty_alpha,
        },
        sampling,
    )
    config = SamplingConfig(**sampling)
    # Standard input holds the prompt, or the answers.
    prompt = prompt or "" if interactive else _prompt(prompt)
    from textgen.inference import load

    with load(model, models_dir) as generator:
        warn_of_unseen(generator, prompt)
        if interactive:
            from textgen.cli.interactive import write_together

            write_together(generator, prompt, config, num_samples or _PROPOSALS, echo)
            return
        if stream is None:
            stream = search is None and not as_json and num_samples in (None, 1) and is_terminal()
        if stream:
            failed = _stream(generator, prompt, config, echo).finish_reason == "error"
        else:
            if search is None:
                results = _samples(generator, prompt, config, num_samples or 1)
            else:
                with on_interrupt(signal.SIG_DFL):
                    results = iter([generator.search(prompt, search)])
            name = generator.entry.name if as_json else None
            failed = _print(results, prompt if echo else "", name)
    if failed:
        raise no_token_left()


def _check_combination(
    prompt: str | None,
    num_samples: int | None,
    interactive: bool,
    stream: bool | None,
    as_json: bool,
    logprobs: int | None,
) -> None:
    if logprobs is not None and not as_json:
        raise click.UsageError("--logprobs needs --json.")
    if interactive and (as_json or stream is not None):
        raise click.UsageError("--interactive goes without --json, --stream and --no-stream.")
    if interactive and prompt == "-":
        raise click.UsageError("--interactive reads your answers from standard input, no prompt.")
    if stream and (as_json or (num_samples or 1) > 1):
        raise click.UsageError("--stream shows one text, without --json.")


def _stream(
    generator: TextGenerator, prompt: str, config: SamplingConfig, echo: bool
) -> Generation:
    """Show a text while it is written; Ctrl-C ends it."""
    text = generator.stream(prompt, **config.to_dict())
    try:
        if echo:
            print_text(prompt, nl=False)
        for piece in text:
            print_text(piece, nl=False)
        click.echo()
    except KeyboardInterrupt:
        click.echo()
        raise click.exceptions.Exit(130) from None
    return text.result


def _samples(
    generator: TextGenerator, prompt: str, config: SamplingConfig, count: int
) -> Iterator[Generation]:
    """Write several texts, so many at a time that memory holds them and the first come soon."""
    while count:
        rows = min(count, _SAMPLES_A_BATCH)
        with on_interrupt(signal.SIG_DFL):  # what is finished is shown, so nothing is lost
            results = generator.generate_batch([prompt] * rows, config)
        yield from results
        seed = cast(int, results[-1].seed)  # drawn where none was given
        config = dataclasses.replace(config, seed=(seed + 1) % 2**63)
        count -= rows


def _print(results: Iterator[Generation], before: str, model: str | None) -> bool:
    """Print finished texts, with the model's name as JSON; tell whether one could not go on."""
    failed = False
    for index, result in enumerate(results):
        if model is not None:
            click.echo(json.dumps({"model": model, **result.to_dict()}, ensure_ascii=False))
        else:
            print_text(("---\n" if index else "") + before + result.text)
        failed |= result.finish_reason == "error"
    return failed


def _prompt(argument: str | None) -> str:
    """Return the prompt from the command line or from standard input."""
    if argument is not None and argument != "-":
        return argument
    if sys.stdin is None or (argument is None and sys.stdin.isatty()):
        return ""
    content = sys.stdin.buffer.read()
    try:
        # `echo "Once" | textgen generate`: the newline is echo's, not the prompt's.
        return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"The prompt on standard input must be UTF-8. Received: byte "
            f"0x{content[error.start]:02x} at offset {error.start}."
        ) from None

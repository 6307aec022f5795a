"""`textgen generate`: continue a prompt."""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from textgen.cli import options
from textgen.cli.copies import CopyPrinter
from textgen.cli.interrupt import on_interrupt
from textgen.cli.sampling import (
    controls,
    explain_controls,
    no_token_left,
    read_phrases,
    sampling_config,
)
from textgen.cli.screen import TextPrinter, is_terminal, print_text, say, visible
from textgen.cli.search import search_config, search_options
from textgen.cli.unseen import warn_of_ineffective, warn_of_long, warn_of_unseen

from textgen.config import SamplingConfig

if TYPE_CHECKING:
    from textgen.inference import Generation, TextGenerator

_PROPOSALS = 4
_SAMPLES_PER_BATCH = 64
# A pipe may never end.
_MAX_PROMPT_BYTES = 1 << 28


@click.command(cls=options.SectionedCommand)
@click.argument("prompt", required=False)
@options.model
@options.output("-i", "--interactive", is_flag=True, help="Write together: choose among proposals.")
@options.output(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With -i, keep the text in FILE after every turn. If FILE exists, continue its text.",
)
@options.output(
    "--stream/--no-stream",
    default=None,
    help="Print the text while it is generated.  [default: on a terminal, if it is one text]",
)
@options.output("--label", metavar="LABEL", help="Generate a text that fits LABEL.")
@options.output(
    "--raw", is_flag=True, help="Continue PROMPT as it is, even if the model answers prompts."
)
@options.output(
    "--echo/--no-echo",
    default=None,
    help="Print the prompt, too.  [default: unless the model answers it]",
)
@options.output(
    "--num-samples",
    type=click.IntRange(min=1),
    help=f"Number of texts, with consecutive seeds.  [default: 1; {_PROPOSALS} proposals with -i]",
)
@options.as_json
@options.output("--trace", is_flag=True, help="Mark what the text copies from the model's corpus.")
@options.output(
    "--logprobs",
    type=int,
    metavar="N",
    help="With --json, the log-probability of every token and of the N most likely ones.",
)
@controls
@click.option(
    "--avoid-file",
    cls=options.SectionedOption,
    section="What the text must, or must not, contain",
    type=click.Path(exists=True, dir_okay=False),
    help="A file with texts that never appear, one per line.",
)
@search_options
@options.models_dir
@click.pass_context
def generate(
    ctx: click.Context,
    prompt: str | None,
    model: str | None,
    num_samples: int | None,
    interactive: bool,
    save: Path | None,
    stream: bool | None,
    label: str | None,
    raw: bool,
    echo: bool | None,
    as_json: bool,
    trace: bool,
    models_dir: str | None,
    num_beams: int | None,
    length_penalty: float,
    penalty_alpha: float | None,
    avoid_file: str | None,
    **sampling: Any,
) -> None:
    """Continue PROMPT with a trained model, or answer it if the model was trained to answer.

    PROMPT defaults to standard input. If it is empty, the model begins a new text.
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
    if avoid_file is not None:
        sampling["avoid"] += read_phrases(avoid_file)
    config = sampling_config(sampling)
    if trace and (interactive or stream):
        raise click.UsageError("--trace cannot be combined with --interactive or --stream.")
    if save is not None and not interactive:
        raise click.UsageError("--save needs --interactive.")
    # Standard input is the prompt, or the answers of the interactive mode.
    prompt = _beginning(prompt, save) if interactive else _prompt(prompt)
    from textgen.inference import load

    with load(model, models_dir) as generator:
        if model is None:
            _say_which(generator)
        warn_of_unseen(generator, prompt)
        warn_of_long(generator, prompt)
        warn_of_ineffective(generator, config if search is None else search)
        explain_controls(generator, config)
        answers = generator.make_prompts.answers and not raw
        if answers and interactive:
            raise click.UsageError(
                "--interactive continues a text, but this model answers prompts: use textgen chat, "
                "or --raw."
            )
        if echo is None:
            echo = not answers
        asked: dict[str, Any] = {"label": label, "raw": raw}
        if interactive:
            from textgen.cli.interactive import write_together

            write_together(generator, prompt, config, num_samples or _PROPOSALS, echo, save, asked)
            return
        copies = CopyPrinter(generator.entry) if trace else None
        if stream is None:
            is_one = search is None and num_samples in (None, 1)
            stream = is_one and not as_json and copies is None and is_terminal()
        if stream:
            failed = _stream(generator, prompt, config, echo, asked).finish_reason == "error"
        else:
            if search is None:
                results = _samples(generator, prompt, config, num_samples or 1, asked)
            else:
                with on_interrupt(signal.SIG_DFL):
                    results = iter([generator.search(prompt, search, **asked)])
            name = generator.entry.name if as_json else None
            failed = _print(results, prompt if echo else "", name, copies)
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
        raise click.UsageError(
            "--interactive cannot be combined with --json, --stream or --no-stream."
        )
    if interactive and prompt == "-":
        raise click.UsageError("With --interactive, standard input cannot be the prompt.")
    if stream and (as_json or (num_samples or 1) > 1):
        raise click.UsageError("--stream prints a single text, and cannot be combined with --json.")


def _say_which(generator: TextGenerator) -> None:
    """Name the model that was chosen by default, to a person but not to a log."""
    if sys.stderr is not None and sys.stderr.isatty():
        entry = generator.entry
        version = f", version {entry.version}" if entry.version is not None else ""
        say(visible(f"Model: {entry.name}{version}"))


def _stream(
    generator: TextGenerator,
    prompt: str,
    config: SamplingConfig,
    echo: bool,
    asked: dict[str, Any],
) -> Generation:
    """Print a text while it is generated; Ctrl-C ends it."""
    stream = generator.stream(prompt, config, **asked)
    printer = TextPrinter()
    try:
        if echo:
            printer.print(prompt)
        for chunk in stream:
            printer.print(chunk)
        printer.end()
    except KeyboardInterrupt:
        printer.end()
        raise click.exceptions.Exit(130) from None
    return stream.result


def _samples(
    generator: TextGenerator,
    prompt: str,
    config: SamplingConfig,
    count: int,
    asked: dict[str, Any],
) -> Iterator[Generation]:
    """Generate texts in batches, which bounds memory and prints the first texts early."""
    while count:
        rows = min(count, _SAMPLES_PER_BATCH)
        with on_interrupt(signal.SIG_DFL):  # finished texts are printed already
            results = generator.generate_batch([prompt] * rows, config, **asked)
        yield from results
        seed = cast(int, results[-1].seed)  # random if the config has none
        config = dataclasses.replace(config, seed=(seed + 1) % 2**63)
        count -= rows


def _print(
    results: Iterator[Generation], before: str, model: str | None, copies: CopyPrinter | None
) -> bool:
    """Print finished texts, as JSON if `model` is its name; return whether one failed."""
    failed = False
    for index, result in enumerate(results):
        start = ("---\n" if index else "") + before
        if model is not None:
            found = {"copies": copies.as_json(copies.find(result.text))} if copies else {}
            row = {"model": model, **result.to_dict(), **found}
            click.echo(json.dumps(row, ensure_ascii=False))
        elif copies:
            copies.print(copies.find(result.text), start)
        else:
            print_text(start + result.text)
        failed |= result.finish_reason == "error"
    return failed


def _beginning(prompt: str | None, save: Path | None) -> str:
    """Return what an interactive text begins with: the prompt, or the file to continue."""
    if save is None or not save.exists():
        return prompt or ""
    if prompt:
        raise click.UsageError(
            f"{visible(str(save))} exists, so its text is continued. Leave out PROMPT, or name "
            "another file."
        )
    from textgen.corpus import decode_chunks

    return "".join(decode_chunks([save.read_bytes()], "utf-8", visible(str(save))))


def _prompt(argument: str | None) -> str:
    """Return the prompt from the command line or from standard input."""
    if argument is not None and argument != "-":
        try:
            argument.encode()
        except UnicodeEncodeError:
            # Python keeps the bytes that the locale's encoding cannot decode as surrogates.
            raise click.UsageError(
                f"PROMPT must be text in the encoding of your locale, "
                f"{sys.getfilesystemencoding()}. Pass it to standard input, or use a UTF-8 locale, "
                "such as LC_ALL=C.UTF-8."
            ) from None
        return argument
    if sys.stdin is None or (argument is None and sys.stdin.isatty()):
        return ""
    content = sys.stdin.buffer.read(_MAX_PROMPT_BYTES + 1)
    if len(content) > _MAX_PROMPT_BYTES:
        raise click.UsageError(
            f"The prompt must have {_MAX_PROMPT_BYTES:,} bytes or fewer. Standard input has more."
        )
    if not content:
        return ""
    from textgen.corpus import decode_chunks

    # In `echo "Once" | textgen generate` the newline is not part of the prompt.
    return "".join(decode_chunks([content], "utf-8", "standard input")).removesuffix("\n")

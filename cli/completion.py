"""`textgen completion`: print the script that completes commands and model names."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash:  eval "$(textgen completion bash)"      in ~/.bashrc
    zsh:   eval "$(textgen completion zsh)"       in ~/.zshrc
    fish:  textgen completion fish | source       in ~/.config/fish/config.fish
    """
    script = get_completion_class(shell)
    if script is None:
        raise click.UsageError(f"No completion for {shell}.")
    click.echo(script(ctx.find_root().command, {}, "textgen", "_TEXTGEN_COMPLETE").source())


def complete_model(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the names of the models in the models folder, and versions after a slash."""
    from textgen.catalog import Catalog

    catalog = Catalog(ctx.params.get("models_dir"))
    name, slash, _ = incomplete.partition("/")
    if slash:
        names = [f"{name}/{entry.version}" for entry in catalog.versions(name)]
    else:
        names = [entry.name for entry in catalog.entries()]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]

"""`textgen serve`: an HTTP API and a page to write on."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import click
from textgen.cli import options
from textgen.cli.completion import complete_model

from textgen.errors import ConfigError

KEY_VARIABLE = "TEXTGEN_API_KEY"
_LOOPBACK = ("localhost", "127.", "::1")


class _Reload(click.ParamType):
    """Seconds, or `no`."""

    name = "seconds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        """Return the seconds, or `None` for `no`."""
        if value in ("no", None):
            return None
        return options.Duration().convert(value, param, ctx)


_access = options.in_section("Access")
_limit = options.in_section("Limits")


@click.command(cls=options.SectionedCommand)
@click.argument("models", metavar="[NAME_OR_PATH]...", nargs=-1, shell_complete=complete_model)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--reload",
    "reload_seconds",
    type=_Reload(),
    default="5s",
    show_default=True,
    metavar="DURATION|no",
    help="How often to look for new versions of the models.",
)
@click.option(
    "--grace",
    type=options.Duration(),
    default="30s",
    show_default=True,
    help="Time that running requests have to complete when the server stops.",
)
@click.option("--log-prompts", is_flag=True, help="Log the prompts of requests.")
@_access(
    "--api-key-file",
    "key_file",
    type=click.Path(dir_okay=False),
    help="File of API keys, one per line; clients send one of them.",
)
@_access(
    "--api-key",
    "keys",
    multiple=True,
    envvar=KEY_VARIABLE,
    show_envvar=True,
    help="API key; may be given several times. Other users see it in the list of processes.",
)
@_access("--no-auth", is_flag=True, help="Allow other machines to connect without a key.")
@_access(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Host name that requests may use; may be given several times.  "
    "[default: localhost on the loopback interface, else any]",
)
@_access(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="Web page of another origin that may call the API (CORS); may be given several times.",
)
@_access("--certfile", type=click.Path(dir_okay=False), help="TLS certificate.")
@_access("--keyfile", type=click.Path(dir_okay=False), help="Key of the certificate.")
@_limit("--max-tokens", type=click.IntRange(min=1), help="Maximum number of tokens per text.")
@_limit(
    "--max-rows", type=click.IntRange(1, 1024), help="Maximum number of texts decoded together."
)
@_limit("--max-waiting", type=click.IntRange(min=1), help="Maximum number of texts that wait.")
@options.models_dir
def serve(
    models: tuple[str, ...],
    host: str,
    port: int,
    reload_seconds: float | None,
    grace: float,
    log_prompts: bool,
    key_file: str | None,
    keys: tuple[str, ...],
    no_auth: bool,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    certfile: str | None,
    keyfile: str | None,
    models_dir: str | None,
    **limits: int | None,
) -> None:
    """Serve models over HTTP: OpenAI's API, TensorFlow Serving's, and a page to write on.

    Without a name, all models of the folder are served. NAME/N serves version N.
    """
    is_loopback = host.startswith(_LOOPBACK)
    api_keys = [*keys, *_read_keys(key_file)]
    if not (is_loopback or api_keys or no_auth):
        raise ConfigError(
            f"--host {host} lets other machines connect: protect the server with --api-key-file, "
            "or allow everyone with --no-auth."
        )
    if (certfile is None) != (keyfile is None):
        raise ConfigError("--certfile and --keyfile must be given together.")
    if log_prompts:
        logging.getLogger("textgen.serving.http").setLevel(logging.INFO)

    from textgen.catalog import Catalog
    from textgen.serving.http.app import App
    from textgen.serving.http.limits import Limits
    from textgen.serving.http.metrics import Metrics
    from textgen.serving.http.security import LOOPBACK_HOSTS, Access
    from textgen.serving.http.server import Listener, run
    from textgen.serving.http.shelf import Shelf

    # Loading the models is slow, so this is checked first.
    listener = Listener(
        host=host,
        port=port,
        grace=grace,
        reload_seconds=reload_seconds,
        certfile=None if certfile is None else Path(certfile),
        keyfile=None if keyfile is None else Path(keyfile),
    )
    metrics = Metrics()
    set_limits = Limits(**{name: value for name, value in limits.items() if value is not None})
    shelf = Shelf(Catalog(models_dir), models, set_limits, metrics)
    allowed = [*hosts, *LOOPBACK_HOSTS] if hosts or is_loopback else []
    access = Access(api_keys, allowed, origins)
    app = App(shelf, set_limits, access, metrics, log_prompts)

    def announce(url: str) -> None:
        click.echo(f"Serving {', '.join(shelf.models)} on {url}  (Ctrl-C stops)")

    run(app.asgi(), shelf, listener, announce)
    click.echo("\nStopped.")


def _read_keys(path: str | None) -> list[str]:
    if path is None:
        return []
    keys = [line.strip() for line in Path(path).read_text("utf-8").splitlines()]
    keys = [key for key in keys if key and not key.startswith("#")]
    if not keys:
        raise ConfigError("--api-key-file must contain one key per line. Received: no key")
    if stat.S_IMODE(os.stat(path).st_mode) & 0o004:
        logging.getLogger(__name__).warning("Other users can read the file of API keys.")
    return keys

"""The `textgen` command, installed as the package `textgen.cli`.

Modules here import tensorflow, keras, numpy and rich inside their callbacks only, so
that `--help` and shell completion answer at once.
"""

import atexit
import os
import signal
import sys


def run() -> None:
    """Run the command line. Until it is imported, Ctrl-C ends the program without a word."""
    from textgen.cli.interrupt import on_interrupt

    with on_interrupt(signal.SIG_DFL):
        from textgen.cli.main import main
    try:
        main()
    except SystemExit as ended:
        _leave(ended.code)
        raise


def _leave(status: object) -> None:
    """End the process without freeing its memory piece by piece, which takes TensorFlow seconds.

    Workers of a cluster take leave of each other while TensorFlow is freed, so they return.
    """
    if "TF_CONFIG" in os.environ or not isinstance(status, int | None):
        return
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        return  # Python reports it
    os._exit(status or 0)

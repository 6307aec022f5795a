"""The `textgen` command, installed as the package `textgen.cli`.

Modules here import tensorflow, keras, numpy and rich inside their callbacks only, so
that `--help` and shell completion answer at once.
"""

import signal


def run() -> None:
    """Run the command line. Until it is imported, Ctrl-C ends the program without a word."""
    from textgen.cli.interrupt import on_interrupt

    with on_interrupt(signal.SIG_DFL):
        from textgen.cli.main import main
    main()

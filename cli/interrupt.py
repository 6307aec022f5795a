"""What Ctrl-C does while a command is at work."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def on_interrupt(handler: Callable[[int, Any], Any] | signal.Handlers) -> Iterator[None]:
    """Handle Ctrl-C in a way of one's own for a while.

    A program that was started deaf to it stays so: it is a background job of a script,
    and the Ctrl-C is for what runs in the foreground.

    Args:
        handler: as of `signal.signal`. With `signal.SIG_DFL` the program ends at once;
            Python's own handler would wait for the end of a call into TensorFlow.
    """
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

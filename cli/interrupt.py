"""What Ctrl-C does while a command is at work."""

from __future__ import annotations

import signal
import sys
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


def keep_interrupts() -> None:
    """Let a Ctrl-C that comes while Python runs a finalizer come again after it.

    A finalizer may raise nothing: Python would report the KeyboardInterrupt and go on.
    """
    sys.unraisablehook = _interrupt_again
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))


def end_interrupted() -> None:
    """Let nothing more be reported: objects that Ctrl-C left half-made may fail to end well."""
    sys.unraisablehook = lambda _: None


def _interrupt_again(unraisable: sys.UnraisableHookArgs) -> None:
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    # Not at once: this function is called in the finalizer's place.
    signal.setitimer(signal.ITIMER_REAL, 0.01)

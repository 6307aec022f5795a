"""What Ctrl-C does while a command runs."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def on_interrupt(handler: Callable[[int, Any], Any] | signal.Handlers) -> Iterator[None]:
    """Handle Ctrl-C differently until the end of the block.

    A program that was started to ignore it continues to: it is a background job of a script, and
    the Ctrl-C is meant for the foreground.

    Args:
        handler: As for `signal.signal`. With `signal.SIG_DFL` the program ends immediately;
            Python's own handler would wait for the end of a call into TensorFlow.
    """
    previous = signal.getsignal(signal.SIGINT)
    if previous == signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def keep_interrupts() -> None:
    """Repeat a Ctrl-C that arrives while Python runs a finalizer.

    A finalizer cannot raise: Python would print the KeyboardInterrupt and continue.
    """
    sys.unraisablehook = _interrupt_again
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))


def end_interrupted() -> None:
    """Silence later errors: objects that Ctrl-C left half-made may fail to end well."""
    sys.unraisablehook = lambda _: None


def _interrupt_again(unraisable: sys.UnraisableHookArgs) -> None:
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    # After a moment, because this function runs in place of the finalizer.
    signal.setitimer(signal.ITIMER_REAL, 0.01)

"""Memory that was freed, but that the system does not have back yet."""

from __future__ import annotations

import ctypes


def return_memory() -> None:
    """Let the system have the memory that was freed, where the C library keeps it by itself.

    That takes milliseconds, and pays after a part of the work that needed much more than the next.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

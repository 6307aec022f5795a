"""From the engine's threads to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any


class Mailbox:
    """Passes calls to an event loop, which wakes up once for all that are waiting.

    A block ends in all rows at once. To wake the loop for each would cost a system call and a
    change of threads per row.

    Args:
        loop: The event loop that makes the calls.

    Example:
        >>> mailbox = Mailbox(asyncio.get_running_loop())
        >>> mailbox.post(print, "said by the event loop")
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._is_woken = False

    def post(self, function: Callable[..., Any], *args: Any) -> None:
        """Have the loop call a function. Any thread may do this; calls keep their order."""
        self._calls.append((function, args))
        if not self._is_woken:
            self._is_woken = True
            # A closed loop raises: the server has stopped, and nothing is waiting any more.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        # First of all, so that a call posted from now on is made here or wakes the loop again.
        self._is_woken = False
        while self._calls:
            function, args = self._calls.popleft()
            function(*args)

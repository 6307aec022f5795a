"""Keep what TensorFlow's libraries write while they load off the screen.

TF_CPP_MIN_LOG_LEVEL does not reach the static initializers, and one of those always
reports that there is no GPU. Someone who asked for a story should not have to read that.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

_SEVERITIES = b"IWEF"
_PREAMBLE = b"WARNING: All log messages before absl::InitializeLog()"
_LOG_LINE = re.compile(rb"[IWEF]\d{4} \d\d:\d\d:\d+\.\d+ ")


@contextlib.contextmanager
def hidden_banner(level: int) -> Iterator[None]:
    """Take log lines out of what the process writes to stderr meanwhile.

    The stream is caught below Python, at its file descriptor, and everything else is
    written to it at the end: what other threads have to say comes late, but comes.

    Args:
        level: hide lines below this severity: 1 information, 2 warnings too, 3 errors too.

    Yields:
        Nothing.
    """
    if level < 1:
        yield
        return
    try:
        stderr = os.dup(2)
    except OSError:
        # A program without a stderr hides everything already.
        yield
        return
    # A file in memory, and not the module tempfile, which takes 7 ms to import.
    with os.fdopen(os.memfd_create("stderr"), "w+b") as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            caught.seek(0)
            rest = b"".join(line for line in caught if not _is_hidden(line, level))
            if rest:
                os.write(2, rest)


def _is_hidden(line: bytes, level: int) -> bool:
    if line.startswith(_PREAMBLE):
        return True
    return _LOG_LINE.match(line) is not None and _SEVERITIES.index(line[:1]) < level

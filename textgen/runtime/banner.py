"""Hide what TensorFlow's libraries print while they load.

TF_CPP_MIN_LOG_LEVEL has no effect on the static initializers, and one of them always reports that
there is no GPU. Someone who asked for a story should not have to read that.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from textgen.numerals import whole_number

_SEVERITIES = b"IWEF"
_PREAMBLE = b"WARNING: All log messages before absl::InitializeLog()"
_LOG_LINE = re.compile(rb"[IWEF]\d{4} \d\d:\d\d:\d+\.\d+ ")


@contextlib.contextmanager
def hidden_banner() -> Iterator[None]:
    """Remove log lines from what the process prints to stderr during the block.

    The stream is redirected below Python, at its file descriptor. Everything else is printed when
    the block ends, so messages of other threads come late.

    TF_CPP_MIN_LOG_LEVEL says what to hide: 1 information, 2 warnings too, 3 errors too. Without
    it, or with any other text, nothing is hidden.
    """
    level = whole_number(os.environ.get("TF_CPP_MIN_LOG_LEVEL", "")) or 0
    if level < 1:
        yield
        return
    try:
        stderr = os.dup(2)
    except OSError:
        # A program without a stderr shows nothing anyway.
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

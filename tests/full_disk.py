"""A disk that is full, for tests of what is left then."""

import contextlib
import resource


@contextlib.contextmanager
def no_file_longer_than(num_bytes):
    """Let the kernel refuse to write past so many bytes of a file, as it does on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

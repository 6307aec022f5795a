"""Arrays on disk, in files that another program may have written.

NumPy reads its own files with whatever Python can make of them: a pipe would be waited for, a
header that lies allocates terabytes, and a damaged one raises half a dozen kinds of error.
"""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from textgen.files import open_plain

# RuntimeError: a flipped bit can make an entry look encrypted or of another version.
_DAMAGE = (
    *(EOFError, KeyError, MemoryError, NotImplementedError, OverflowError, RuntimeError),
    *(SyntaxError, TypeError, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


def map_array(path: Path) -> np.ndarray:
    """Map the array of a `.npy` file into memory, read-only.

    Raises:
        OSError: If the file cannot be read or is not a plain file.
        ValueError: If it is damaged.
    """
    with open_plain(path) as file, _damage_is_a_value_error():
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("its version is not the one that textgen writes")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if shape == (0,):  # which cannot be mapped
            return np.zeros(shape, dtype)
        return np.load(path, mmap_mode="r", allow_pickle=False)


def read_archive(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an `.npz` file that is not compressed.

    Raises:
        OSError: If the file cannot be read or is not a plain file.
        ValueError: If it is damaged.
    """
    with open_plain(path) as file, _damage_is_a_value_error():
        with zipfile.ZipFile(file) as archive:
            # A compressed entry can be a thousand times as large as its file.
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.filelist):
                raise ValueError("it holds a compressed array")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}


@contextmanager
def _damage_is_a_value_error() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(str(error) or type(error).__name__) from error

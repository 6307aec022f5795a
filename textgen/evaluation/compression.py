"""How many bits general compressors need for a text, given another one.

A compressor is a language model, too: what it saves is what it predicts. Each gets the end of the
training part first: as much of it as it can look back on, and at most 4 MB.

Reference:
    Deletang et al., "Language Modeling Is Compression", 2023, https://arxiv.org/abs/2309.10668.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

# What each looks back on: deflate's window, and bzip2's largest block.
_GZIP_WINDOW = 1 << 15
_BZIP2_BLOCK = 900_000
_XZ_DICTIONARY = 1 << 26
# xz and zstd could look back farther, but then take longer than most models.
_MAX_TRAINING = 1 << 22


def compressed_bits(text: bytes, training: bytes) -> dict[str, float]:
    """Return the size of a text in bits under each compressor that is installed.

    Args:
        text: What to compress.
        training: What precedes it, and costs nothing.

    Example:
        >>> sizes = compressed_bits(b"to be or not to be " * 9, b"")
        >>> sorted(sizes)[:3]
        ['bzip2', 'gzip', 'xz']
    """
    training = _end(training, _MAX_TRAINING)
    sizes: dict[str, Callable[[], float]] = {
        "gzip": lambda: _gzip(text, training),
        "bzip2": lambda: _added(text, _end(training, _BZIP2_BLOCK - len(text)), bz2.compress),
        "xz": lambda: _added(text, training, _xz),
    }
    if find_spec("zstandard"):
        sizes["zstd"] = lambda: _zstd(text, training)
    # They let other threads run, and xz takes as long as the rest together.
    with ThreadPoolExecutor() as pool:
        running = {name: pool.submit(size) for name, size in sizes.items()}
        return {name: 8.0 * size.result() for name, size in running.items()}


def _gzip(text: bytes, training: bytes) -> int:
    window = _end(training, _GZIP_WINDOW)
    # gzip without its header is deflate, whose window can be filled beforehand.
    options = (9, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY)
    deflate = zlib.compressobj(*options, window) if window else zlib.compressobj(*options)
    return len(deflate.compress(text)) + len(deflate.flush())


def _end(data: bytes, size: int) -> bytes:
    """Return the last `size` bytes, none if it is negative."""
    return data[len(data) - min(max(size, 0), len(data)) :]


def _added(text: bytes, before: bytes, compress: Callable[[bytes], bytes]) -> int:
    """Return by how much a text makes what precedes it longer."""
    return len(compress(before + text)) - (len(compress(before)) if before else 0)


def _xz(data: bytes) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": _XZ_DICTIONARY}]
    return lzma.compress(data, lzma.FORMAT_RAW, filters=filters)


def _zstd(text: bytes, training: bytes) -> int:
    import zstandard

    size = len(text) + len(training)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        19, window_log=min(max(size.bit_length(), 10), 27), write_content_size=0, write_checksum=0
    )
    kind = zstandard.DICT_TYPE_RAWCONTENT
    known = zstandard.ZstdCompressionDict(training, dict_type=kind) if training else None
    compressor = zstandard.ZstdCompressor(compression_params=parameters, dict_data=known)
    return len(compressor.compress(text))

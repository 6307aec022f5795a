"""Read the warmup requests of a SavedModel.

The file is a TFRecord of PredictionLog messages. The field numbers are those of
tensorflow_serving/apis: prediction_log.proto, predict.proto and model.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from textgen.errors import ModelDamagedError
from textgen.files import open_plain
from textgen.runtime.signatures import parse_tensor
from textgen.runtime.wire import WireError, as_message, as_text, read_fields

# Enough for a dozen small requests. A longer file is cut off here, and so refused.
_MAX_BYTES = 1 << 24
_HEADER = struct.Struct("<QI")  # length, and its checksum
_FOOTER = struct.Struct("<I")  # checksum of the record


class WarmupRequest(NamedTuple):
    """One request that a server replays when it loads the model.

    Attributes:
        signature: The signature's name.
        inputs: Arrays by input name.
    """

    signature: str
    inputs: dict[str, np.ndarray]


def read_warmup(file: Path) -> list[WarmupRequest]:
    """Read all warmup requests.

    Args:
        file: `assets.extra/tf_serving_warmup_requests` of a SavedModel.

    Raises:
        ModelDamagedError: If the file is missing or damaged.
    """
    try:
        with open_plain(file) as content:
            return [_parse(record) for record in _records(content.read(_MAX_BYTES))]
    except (OSError, WireError) as error:
        raise ModelDamagedError(f"{file} is missing or damaged: {error}") from error


def _records(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        start = position + _HEADER.size
        if start > len(data):
            raise WireError("a record is cut off")
        length, _ = _HEADER.unpack_from(data, position)
        end = start + length
        if end + _FOOTER.size > len(data):
            raise WireError("a record is cut off")
        for content, checksum in (
            (data[position : position + 8], start - 4),
            (data[start:end], end),
        ):
            if _FOOTER.unpack_from(data, checksum)[0] != _masked_crc32c(content):
                raise WireError("a record does not match its checksum")
        yield data[start:end]
        position = end + _FOOTER.size


def _parse(record: bytes) -> WarmupRequest:
    request = _only(_only(record, 6), 1)
    signature, inputs = "", {}
    for number, value in read_fields(request):
        if number == 1:
            signature = as_text(_only(as_message(value), 3))
        elif number == 2:
            entry = as_message(value)
            inputs[as_text(_only(entry, 1))] = parse_tensor(_only(entry, 2))
    return WarmupRequest(signature, inputs)


def _only(message: bytes, wanted: int) -> bytes:
    for number, value in read_fields(message):
        if number == wanted:
            return as_message(value)
    raise WireError(f"a message has no field {wanted}")


def _make_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _make_table()


def _masked_crc32c(data: bytes) -> int:
    """Return the checksum in a TFRecord: CRC-32C, rotated, plus a constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF

"""A SavedModel's folder on disk, checked before TensorFlow sees it.

TensorFlow reports some damage late and in its own words (a missing variable at the
first run), so what can be seen from outside is checked here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from textgen.errors import ModelDamagedError
from textgen.runtime.signatures import Signature, parse_signatures
from textgen.runtime.wire import (
    WireError,
    as_message,
    as_text,
    read_fields,
)

SERVING_TAG = "serve"


class Contents(NamedTuple):
    """What a SavedModel holds.

    Attributes:
        signatures: what can be run, by name.
        operations: the names of the operations its graph is made of.
    """

    signatures: dict[str, Signature]
    operations: frozenset[str]


def read_directory(path: str | os.PathLike[str]) -> Contents:
    """Check a SavedModel's files and read what it holds.

    Args:
        path: the folder that holds `saved_model.pb`.

    Returns:
        Its signatures and operations.

    Raises:
        ModelDamagedError: the folder is no SavedModel, or files are missing or damaged.
    """
    folder = Path(path)
    file = folder / "saved_model.pb"
    if not folder.is_dir():
        raise ModelDamagedError(f"A SavedModel must be a folder. Received: {folder}")
    if not file.is_file():
        raise ModelDamagedError(f"{folder} is not a SavedModel: it holds no saved_model.pb")
    try:
        meta_graph = find_serving_graph(file.read_bytes())
        contents = Contents(parse_signatures(meta_graph), _operations(meta_graph))
        needed = _needed_files(meta_graph)
    except OSError as error:
        raise ModelDamagedError(f"{file} cannot be read: {error.strerror}") from error
    except WireError as error:
        raise ModelDamagedError(f"{file} is damaged: {error}") from error
    for name in needed:
        if not (folder / name).is_file():
            raise ModelDamagedError(f"The SavedModel at {folder} is incomplete: {name} is missing")
    return contents


def find_serving_graph(data: bytes) -> memoryview:
    """Return the MetaGraphDef that a server loads.

    Args:
        data: the bytes of `saved_model.pb`.

    Raises:
        WireError: they are damaged, or hold no such graph.
    """
    meta_graphs = [as_message(value) for number, value in read_fields(data) if number == 2]
    for meta_graph in meta_graphs:
        tags = {
            as_text(tag)
            for number, info in read_fields(meta_graph)
            if number == 1
            for info_number, tag in read_fields(as_message(info))
            if info_number == 4
        }
        # TensorFlow takes the graph whose tags are exactly those asked for.
        if tags == {SERVING_TAG}:
            return meta_graph
    raise WireError(f'it holds no graph with the tag "{SERVING_TAG}"')


def _operations(meta_graph: memoryview) -> frozenset[str]:
    infos = _messages(meta_graph, 1)
    op_lists = [op_list for info in infos for op_list in _messages(info, 2)]
    ops = [op for op_list in op_lists for op in _messages(op_list, 1)]
    return frozenset(as_text(name) for op in ops for name in _messages(op, 1))


def _messages(message: memoryview, wanted: int) -> list[memoryview]:
    return [as_message(value) for number, value in read_fields(message) if number == wanted]


def _needed_files(meta_graph: memoryview) -> list[str]:
    files = []
    for number, value in read_fields(meta_graph):
        if number == 3:
            # A saver is there exactly if there is something to restore.
            files.append("variables/variables.index")
        elif number == 6:
            files += [
                f"assets/{as_text(name)}"
                for asset_number, name in read_fields(as_message(value))
                if asset_number == 2
            ]
    return files

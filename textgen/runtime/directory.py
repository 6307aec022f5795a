"""A SavedModel's folder on disk, checked before TensorFlow reads it.

TensorFlow reports some damage late and unclearly (a missing variable at the first run), and
runs whatever a graph contains. So both are checked here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from textgen.errors import ModelDamagedError, ModelUnsafeError
from textgen.runtime.graph import Graph, parse_graph
from textgen.runtime.safety import UnsafeError, check_safety
from textgen.runtime.signatures import Signature, parse_signatures
from textgen.runtime.wire import WireError, as_text, messages, only_message, read_fields

SERVING_TAG = "serve"

# TensorFlow prefers some of these to saved_model.pb.
_OTHER_GRAPHS = ("saved_model.cpb", "saved_model.pbtxt")
# Weights are in variables/, so a graph takes a few megabytes at most.
_MAX_GRAPH_SIZE = 1 << 28


class Contents(NamedTuple):
    """What a SavedModel holds.

    Attributes:
        signatures: Its functions by name.
        graph: Its graph.
    """

    signatures: dict[str, Signature]
    graph: Graph


def read_directory(path: str | os.PathLike[str], *, trusted: bool = False) -> Contents:
    """Check a SavedModel's files and read what it holds.

    Args:
        path: The folder that holds `saved_model.pb`.
        trusted: Whether to accept graphs that textgen does not export.

    Raises:
        ModelDamagedError: If the folder is not a SavedModel, or files are missing or damaged.
        ModelUnsafeError: If it could do more than generate text, and is not trusted.
    """
    folder = Path(path)
    file = folder / "saved_model.pb"
    if not folder.is_dir():
        raise ModelDamagedError(f"A SavedModel must be a folder. Received: {folder}")
    if not os.path.lexists(file):
        raise ModelDamagedError(f"{folder} is not a SavedModel: it holds no saved_model.pb")
    try:
        if not trusted:
            _check_files(folder)
        meta_graph = find_serving_graph(file.read_bytes())
        contents = Contents(parse_signatures(meta_graph), parse_graph(only_message(meta_graph, 2)))
        needed = _needed_files(meta_graph)
        if not trusted:
            check_safety(meta_graph, contents.graph, contents.signatures)
    except UnsafeError as error:
        raise ModelUnsafeError(f"The SavedModel at {folder} was not loaded: {error}") from error
    except OSError as error:
        raise ModelDamagedError(f"{file} cannot be read: {error.strerror}") from error
    except WireError as error:
        raise ModelDamagedError(f"{file} is damaged: {error}") from error
    for name in needed:
        if not (folder / name).is_file():
            raise ModelDamagedError(f"The SavedModel at {folder} is incomplete: {name} is missing")
    return contents


def find_serving_graph(data: bytes) -> bytes:
    """Return the MetaGraphDef that a server loads.

    Args:
        data: The bytes of `saved_model.pb`.

    Raises:
        WireError: If they are damaged, or hold no such graph or several.
    """
    found = []
    for meta_graph in messages(data, 2):
        tags = {
            as_text(tag)
            for info in messages(meta_graph, 1)
            for number, tag in read_fields(info)
            if number == 4
        }
        # TensorFlow loads the graph whose tags are exactly those requested.
        if tags == {SERVING_TAG}:
            found.append(meta_graph)
    if len(found) > 1:
        raise WireError(f'it holds {len(found)} graphs with the tag "{SERVING_TAG}"')
    if not found:
        raise WireError(f'it holds no graph with the tag "{SERVING_TAG}"')
    return found[0]


def _check_files(folder: Path) -> None:
    """Check that TensorFlow will read plain files in this folder only.

    Raises:
        UnsafeError: If it would read another one.
        OSError: If the folder cannot be read.
    """
    for name in _OTHER_GRAPHS:
        if os.path.lexists(folder / name):
            raise UnsafeError(f"it holds a second graph, {name}")
    for file in _read_by_tensorflow(folder):
        if not stat.S_ISREG(file.lstat().st_mode):
            raise UnsafeError(f"{file.relative_to(folder)} is not a plain file")
    size = (folder / "saved_model.pb").stat().st_size
    if size > _MAX_GRAPH_SIZE:
        raise UnsafeError(f"saved_model.pb takes {size} bytes, more than {_MAX_GRAPH_SIZE}")


def _read_by_tensorflow(folder: Path) -> Iterator[Path]:
    yield folder / "saved_model.pb"
    variables = folder / "variables"
    if variables.is_symlink():
        yield variables
    elif variables.is_dir():
        yield from variables.iterdir()
    fingerprint = folder / "fingerprint.pb"
    if os.path.lexists(fingerprint):
        yield fingerprint


def _needed_files(meta_graph: bytes) -> list[str]:
    assets = [f"assets/{as_text(only_message(asset, 2))}" for asset in messages(meta_graph, 6)]
    # A saver exists exactly if there is something to restore.
    return ["variables/variables.index"] * bool(messages(meta_graph, 3)) + assets

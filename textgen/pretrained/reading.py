"""Read a published model from any kind of source."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from textgen.errors import PublishedModelError
from textgen.pretrained.gguf_file import read_gguf
from textgen.pretrained.hub import downloaded, is_address
from textgen.pretrained.hugging_face import read_hugging_face
from textgen.pretrained.keras_preset import is_preset, read_keras_preset
from textgen.pretrained.published_model import PublishedModel
from textgen.pretrained.source_folder import SourceFolder


@contextmanager
def open_published(source: str | os.PathLike[str]) -> Iterator[PublishedModel]:
    """Read a model that others trained. Its weights can be read within the block.

    Args:
        source: A Hugging Face folder, a KerasHub preset folder, a GGUF file, or an address:
            `hf://OWNER/MODEL` or `kaggle://OWNER/MODEL/FRAMEWORK/VARIANT`. Only addresses use
            the network.

    Raises:
        PublishedModelError: If there is none, if it is damaged, or of a kind that is not
            supported.
        OSError: If a file cannot be read.

    Example:
        >>> with open_published("SmolLM2-135M-Instruct.Q4_1.gguf") as model:
        ...     model.config.num_layers
        30
    """
    name = os.fspath(source)
    if is_address(name):
        with downloaded(name) as folder:
            yield _read(folder).from_source(name)
    else:
        yield _read(Path(name)).from_source(name)


def default_name(source: str | os.PathLike[str]) -> str:
    """Return a name for a model, from the last part of its source.

    Example:
        >>> default_name("models/SmolLM2-135M-Instruct.Q4_1.gguf")
        'SmolLM2-135M-Instruct.Q4_1'
    """
    last = os.path.basename(os.path.abspath(os.fspath(source)))
    return re.sub(r"[^\w.-]+", "-", last.removesuffix(".gguf")).strip(".-") or "imported"


def _read(path: Path) -> PublishedModel:
    if path.is_dir():
        values = SourceFolder(path).json("config.json")
        if values is not None and is_preset(values):
            return read_keras_preset(path)
        return read_hugging_face(path)
    if not path.exists():
        raise PublishedModelError(f"There is no file or folder {path}.")
    if path.suffix != ".gguf":
        raise PublishedModelError(
            f"A published model must be a folder or a GGUF file. Received: a file named {path.name}"
        )
    return read_gguf(path)

"""All checks of a SavedModel: what TensorFlow Serving asks of it, and what we promise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from textgen.runtime import SavedModel
from textgen.runtime.library import LibraryUnavailableError, disable_xla
from textgen.serving.file_checks import FILE_CHECKS
from textgen.serving.model_checks import MODEL_CHECKS
from textgen.serving.result import FlawError, Result, run_check


def check(path: Path) -> Iterator[Result]:
    """Run all checks in this process, in which XLA is forbidden from then on.

    Args:
        path: the folder that holds `saved_model.pb`.

    Yields:
        The result of each. The later ones need a model that loads, and are left out
        where it does not.
    """
    for title, examine in FILE_CHECKS.items():
        yield run_check(title, examine, path)
    loaded: list[SavedModel] = []
    yield run_check("TensorFlow loads it with XLA forbidden", _load, path, loaded)
    for model in loaded:
        with model:
            for title, ask in MODEL_CHECKS.items():
                yield run_check(title, ask, model)


def _load(path: Path, loaded: list[SavedModel]) -> None:
    try:
        disable_xla()
    except LibraryUnavailableError as error:
        raise FlawError(str(error)) from error
    loaded.append(SavedModel(path))

"""Check a SavedModel as a stock TensorFlow Serving would load and use it.

The checks run in a process of their own, because they disable XLA there for good, and
because a graph that crashes TensorFlow must not take the caller down.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from textgen.runtime import SavedModel
from textgen.runtime.library import LibraryUnavailableError, disable_xla
from textgen.serving.checks.file_checks import FILE_CHECKS
from textgen.serving.checks.model_checks import MODEL_CHECKS
from textgen.serving.checks.result import FlawError, Result, run_check


def prove(path: str | os.PathLike[str]) -> Iterator[Result]:
    """Run all checks of a SavedModel in a new process.

    The new process imports the calling script, so the script must make this call under
    `if __name__ == "__main__":`.

    Args:
        path: The folder that holds `saved_model.pb`.

    Yields:
        The result of each check, as soon as it is known.
    """
    # Not a fork: TensorFlow's threads would not survive it.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_results, args=(Path(path), sender), daemon=True)
    process.start()
    sender.close()  # The child's copy is the last, so the pipe ends with the child.
    try:
        while True:
            try:
                yield receiver.recv()
            except EOFError:
                break
        process.join()
        if process.exitcode:
            yield Result("the process survives", f"it ended with {process.exitcode}")
    finally:
        receiver.close()
        process.terminate()
        process.join()


def check(path: Path) -> Iterator[Result]:
    """Run all checks in this process, and disable XLA in it for good.

    Args:
        path: The folder that holds `saved_model.pb`.

    Yields:
        The result of each check. Checks that need a loaded model are left out if it does
        not load.
    """
    for title, examine in FILE_CHECKS.items():
        yield run_check(title, examine, path)
    loaded: list[SavedModel] = []
    yield run_check("TensorFlow loads it with XLA forbidden", _load, path, loaded)
    for model in loaded:
        with model:
            for title, ask in MODEL_CHECKS.items():
                yield run_check(title, ask, model)


def _send_results(path: Path, sender: Connection) -> None:
    for result in check(path):
        sender.send(result)


def _load(path: Path, loaded: list[SavedModel]) -> None:
    try:
        disable_xla()
    except LibraryUnavailableError as error:
        raise FlawError(str(error)) from error
    loaded.append(SavedModel(path))

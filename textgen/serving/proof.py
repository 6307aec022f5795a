"""Proof that a server can run a SavedModel, without a server: all checks, in a process apart.

A process of its own because XLA is forbidden in it for good, and because a graph that
crashes TensorFlow should not take the caller along.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from textgen.serving.checks import check
from textgen.serving.result import Result


def prove(path: str | os.PathLike[str]) -> Iterator[Result]:
    """Check a SavedModel as a stock TensorFlow Serving would load and use it.

    A script that calls this does so under `if __name__ == "__main__":`, because the new
    process imports it.

    Args:
        path: the folder that holds `saved_model.pb`.

    Yields:
        The result of each check, as soon as it is there.
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


def _send_results(path: Path, sender: Connection) -> None:
    for result in check(path):
        sender.send(result)

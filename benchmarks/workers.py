"""Processes that do one side of a benchmark and answer with JSON lines."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any


def num_cores() -> int:
    """The cores that this process may use."""
    has_affinity = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


@contextlib.contextmanager
def worker(
    python: str,
    *arguments: str,
    hide_gpu: bool = True,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[subprocess.Popen[str]]:
    """Run a Python file as a worker, with more in its environment; it ends with the block."""
    # The textgen of this checkout, whatever is installed.
    folders = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    variables = os.environ | {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": os.pathsep.join(filter(None, folders)),
        **environment,
    }
    if hide_gpu:
        variables["CUDA_VISIBLE_DEVICES"] = ""
    process = subprocess.Popen(
        [python, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
    )
    try:
        yield process
    finally:
        process.kill()  # nothing it still holds is needed
        process.communicate()


def receive(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    """Return the next result; whatever else a library prints is passed over."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    return sys.exit(f"{name}: the worker ended with status {process.wait()}.")


def has_torch(python: str) -> bool:
    """Whether an interpreter has PyTorch and transformers; says so if not."""
    probe = [python, "-c", "import torch, transformers"]
    try:
        lacking = subprocess.run(probe, capture_output=True, check=False).returncode != 0
    except OSError as error:
        print(f"The torch side is skipped: {python} cannot be run ({error.strerror}).")
        return False
    if lacking:
        print(f"The torch side is skipped: {python} has no torch and transformers.")
    return not lacking

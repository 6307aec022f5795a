"""Large batches of a small model, generated in parts: each core runs the graph for its rows.

Threads that share the operations of a batch wait for each other hundreds of times per token.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from textgen.inference.stream import Outputs
from textgen.runtime import SavedModel
from textgen.runtime.rows import stack

# Fewer rows take hardly longer together than apart.
_MIN_ROWS = 8


def generate_in_parts(model: SavedModel, inputs: Mapping[str, Any], num_rows: int) -> Outputs:
    """Run the signature `generate`, with a part of a large batch on each core.

    Args:
        model: The model. If its operations have several threads, they share the batch.
        inputs: Values of `num_rows` rows, or one row that stands for all.
        num_rows: The rows of the batch.
    """
    num_cores = len(os.sched_getaffinity(0)) if model.intra_op_threads == 1 else 1
    num_parts = min(num_cores, num_rows // _MIN_ROWS)
    if num_parts <= 1:
        return model.run("generate", **inputs)
    bounds = [num_rows * part // num_parts for part in range(num_parts + 1)]
    rows = [slice(*pair) for pair in pairwise(bounds)]

    def run(part: slice) -> Outputs:
        own = {n: value[part] if len(value) == num_rows else value for n, value in inputs.items()}
        return model.run("generate", **own)

    with ThreadPoolExecutor(num_parts) as threads:
        parts = list(threads.map(run, rows))
    return {name: stack([part[name] for part in parts]) for name in parts[0]}

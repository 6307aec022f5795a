"""Opening a model's SavedModel with the threads that suit its size."""

from __future__ import annotations

import os

from textgen.catalog import ModelEntry
from textgen.errors import ModelDamagedError
from textgen.inference.contract import contract_flaws
from textgen.runtime import SavedModel

# From this many parameters on, a token's matrix products are worth handing to other threads:
# in a Transformer of 6 x 384, but not in one of 6 x 256. The graph cuts its kernels accordingly.
_MIN_PARAMETERS = 2**23
_MAX_THREADS = 8


def open_saved_model(entry: ModelEntry, num_threads: int | None = None) -> SavedModel:
    """Return a model's SavedModel, ready to run.

    Args:
        entry: The model.
        num_threads: Threads per operation, for large batches; with one, several threads may call.
            Defaults to `decoding_threads`.

    Raises:
        ModelDamagedError: If it cannot be loaded, or textgen did not export it.
    """
    threads = num_threads or decoding_threads(entry.card.num_parameters)
    # oneDNN is fast for large batches, and slow for the one row of a decoded token.
    model = SavedModel(entry.path, intra_op_threads=threads, uses_onednn=num_threads is not None)
    for flaw in contract_flaws(model.signatures):
        raise ModelDamagedError(
            f"{entry.path}: the SavedModel has {flaw}. It may have been exported by an "
            "older version of textgen: train it again, or resume its training."
        )
    return model


def decoding_threads(num_parameters: int) -> int:
    """Return how many threads decode one text the fastest: one if the model is small.

    Args:
        num_parameters: The weights of the model.

    Example:
        >>> decoding_threads(1_000_000)
        1
    """
    if num_parameters < _MIN_PARAMETERS:
        return 1
    return min(len(os.sched_getaffinity(0)), _MAX_THREADS)

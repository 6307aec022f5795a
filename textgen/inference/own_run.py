"""The training run that produced a model."""

from __future__ import annotations

from textgen.catalog import ModelEntry
from textgen.errors import CheckpointError
from textgen.run import ModelRuns, Run, reopen_run


def own_run(entry: ModelEntry) -> Run | None:
    """Return the run with the corpus of a model, or `None` if it is gone."""
    if entry.version is None:
        return None
    folder = ModelRuns(entry.path.parent).newest
    try:
        run = reopen_run(folder)
    except CheckpointError:
        return None
    corpus = entry.card.corpus
    return run if corpus is not None and corpus.digest == run.corpus.digest else None

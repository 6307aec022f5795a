"""A training run on disk: its settings, its tokenizer and its tokens.

NAME/train/            the newest run: config.json, tokenizer.json, tokens/, and what training adds
NAME/train.new/        a run that is about to take its place
NAME/train.previous/   the run before
NAME/train.lock        locked while a run is going on
"""

from textgen.run.exported import exported_step, note_export
from textgen.run.lock import RunLock
from textgen.run.new import prepare_run
from textgen.run.reuse import began_with
from textgen.run.run import RESUMABLE, Run, discard_run, reopen_run, replace_run, replan

__all__ = [
    "RESUMABLE",
    "Run",
    "RunLock",
    "began_with",
    "discard_run",
    "exported_step",
    "note_export",
    "prepare_run",
    "reopen_run",
    "replace_run",
    "replan",
]

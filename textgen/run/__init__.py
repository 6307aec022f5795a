"""Training runs on disk: settings, tokenizer, tokens, and the tokens' reuse."""

from textgen.run.exported import exported_step, exported_version, record_export
from textgen.run.folder import ModelRuns, RunFolder
from textgen.run.lock import RunLock
from textgen.run.new import begin_run, read_or_reuse
from textgen.run.parent import Parent
from textgen.run.reuse import has_same_corpus
from textgen.run.training_run import RESUMABLE, Run, reopen_run

__all__ = [
    "RESUMABLE",
    "ModelRuns",
    "Parent",
    "Run",
    "RunFolder",
    "RunLock",
    "begin_run",
    "exported_step",
    "exported_version",
    "has_same_corpus",
    "read_or_reuse",
    "record_export",
    "reopen_run",
]

"""Processes that begin with TensorFlow imported, for tests that start many."""

import multiprocessing
import multiprocessing.forkserver
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

_ROOT = Path(__file__).parents[2]
_CONTEXT = multiprocessing.get_context("forkserver")
_IMPORTED = ["tensorflow", "keras", "keras_nlp", "textgen.training.loop", "textgen.export"]
# What the command line imports when a command runs.
_IMPORTED += [
    "textgen.cli.main",
    "textgen.inference",
    "textgen.evaluation",
    "textgen.serving.checks",
]


def clean_environment(**variables):
    """Return an environment without anything that this process's libraries were set to."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    return {
        **inherited,
        "PYTHONPATH": str(_ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        **variables,
    }


class ForkedPython:
    """Python on a script, forked from a server that only imports: four seconds saved each.

    Its methods are those of `subprocess.Popen` with captured text. `shown` are the files with
    what it prints.

    Args:
        script: Source of the program.
        arguments: Strings, its `sys.argv[1:]`.
        environment: All of its environment.
        folder: Folder for what it prints.
    """

    def __init__(self, script, arguments, environment, folder):
        self.shown = [tempfile.mkstemp(dir=folder)[1] for _ in range(2)]
        self._process = _CONTEXT.Process(
            target=_run, args=(script, arguments, environment, *self.shown)
        )
        _CONTEXT.set_forkserver_preload(_IMPORTED)
        with mock.patch.dict(os.environ, environment, clear=True):
            multiprocessing.forkserver.ensure_running()
        self._process.start()

    def printed(self):
        """Return the standard output so far."""
        return Path(self.shown[0]).read_text("utf-8")

    def poll(self):
        return self._process.exitcode

    returncode = property(poll)

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("forked Python", timeout)
        return self.returncode

    def communicate(self, timeout=None):
        self.wait(timeout)
        return tuple(Path(path).read_text("utf-8") for path in self.shown)

    def send_signal(self, signal):
        os.kill(self._process.pid, signal)

    def kill(self):
        self._process.kill()


def _run(script, arguments, environment, output, errors):
    for descriptor, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # looked up again, in this environment
    sys.argv = ["-c", *arguments]
    exec(compile(script, "<script>", "exec"), {"__name__": "__main__"})

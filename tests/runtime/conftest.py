import os
import subprocess
import sys
from pathlib import Path

import pytest

from textgen.runtime import SavedModel

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def toy_models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runtime")
    script = Path(__file__).with_name("toy_models.py")
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def toy(toy_models):
    return toy_models / "toy"


@pytest.fixture(scope="session")
def model(toy):
    with SavedModel(toy) as loaded:
        yield loaded


@pytest.fixture
def run_python():
    """Run code in a fresh Python process and return its standard output and error."""

    def run(code, *arguments):
        # Nothing of what this process's libraries were set to.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
        environment["PYTHONPATH"] = str(ROOT)
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), done.stderr.strip()

    return run

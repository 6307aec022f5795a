import subprocess
import sys
from pathlib import Path

import pytest

from textgen.runtime import SavedModel


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
    with SavedModel(toy, trusted=True) as loaded:
        yield loaded

"""The C program of the documentation compiles and writes what the library writes."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE
from textgen.runtime import SavedModel

EXAMPLES = Path(__file__).parents[3] / "examples" / "serving"
HEADERS = Path(importlib.util.find_spec("tensorflow").submodule_search_locations[0], "include")


# The linker reads a gigabyte.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if shutil.which(os.environ.get("CC", "cc")) is None or not HEADERS.is_dir():
        pytest.skip("no C compiler, or no headers in the wheel")
    target = tmp_path_factory.mktemp("c") / "generate"
    environment = {**os.environ, "PYTHON": sys.executable}
    command = [str(EXAMPLES / "build.sh"), str(target)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def run(program, *arguments):
    return subprocess.run(
        [str(program), *map(str, arguments)], capture_output=True, timeout=PATIENCE, check=False
    )


def test_it_prints_the_prompt_and_as_many_tokens_as_asked_for(program, exported_models):
    path = exported_models["transformer"].path
    done = run(program, path, "é字", 7)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode("utf-8").removesuffix("\n")
    assert text.startswith("é字")
    with SavedModel(path) as model:
        assert model.run("score", texts=[text])["num_tokens"] == [9]


def test_without_a_model_it_says_so(program, tmp_path):
    done = run(program, tmp_path / "nothing", "a")
    assert done.returncode == 1
    assert b"nothing" in done.stderr

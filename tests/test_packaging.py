"""The package as others install it."""

import configparser
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ["textgen", "cli", "pyproject.toml", "setup.cfg", "README.md", "LICENSE"]


def build_wheel(folder):
    """Build a wheel from a copy of the sources, all with the time of the copy."""
    source = folder / "source"
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        source.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, source / name)
    for path in source.rglob("*"):
        path.touch()
    code = "import setuptools.build_meta as backend; backend.build_wheel('wheels')"
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        capture_output=True,
        check=True,
    )
    (wheel,) = (source / "wheels").glob("*.whl")
    return wheel


@pytest.mark.slow
def test_a_wheel_built_twice_is_the_same_and_holds_every_file(tmp_path):
    first, second = (build_wheel(tmp_path / name) for name in ("first", "second"))
    digests = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in (first, second)]
    assert digests[0] == digests[1]
    files = [path for name in ("textgen", "cli") for path in (ROOT / name).rglob("*.*")]
    names = {str(path.relative_to(ROOT)) for path in files if path.suffix != ".pyc"}
    expected = {name.replace("cli/", "textgen/cli/", 1) for name in names}
    assert expected <= set(zipfile.ZipFile(first).namelist())


def test_every_requirement_has_its_release_in_the_constraints():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    required = "\n".join(
        [setup["options"]["install_requires"], *(extras[name] for name in ("docs", "test", "dev"))]
    )
    names = set(re.findall(r"^([a-z][\w.-]*)", required, re.MULTILINE))
    constraints = (ROOT / "constraints.txt").read_text("utf-8")
    pinned = set(re.findall(r"^(\S+)==\S+$", constraints, re.MULTILINE))
    assert len(names) > 10
    assert names <= pinned

"""The walks of docs/explanation/architecture.md pass modules that exist, each once."""

import json
import re
import subprocess
import sys

import pytest

from tests.docs.pages import DOCS, ROOT
from tests.waiting import PATIENCE

PAGE = (DOCS / "explanation" / "architecture.md").read_text("utf-8")
# Runs a command, and prints the files whose functions it called and the modules it loaded.
TRACE = """
import json, sys
called = set()
sys.setprofile(lambda frame, event, argument: called.add(frame.f_code.co_filename))
from textgen.cli.main import cli
cli(sys.argv[1:], prog_name="textgen", standalone_mode=False)
sys.setprofile(None)
print()
print(json.dumps([sorted(called), sorted(sys.modules)]))
"""


def walk(number: int) -> list[str]:
    """Return the modules of a walk, in order."""
    section = PAGE.partition(f"## Walk {number}")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([\w/]+\.py)` \|", section, re.MULTILINE)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_walk_passes_no_module_twice(number):
    modules = walk(number)
    assert len(modules) >= 10
    assert len(set(modules)) == len(modules)
    assert [module for module in modules if not (ROOT / module).is_file()] == []


def test_generate_passes_the_modules_of_its_walk_and_no_decoder(exported):
    command = ["generate", "Once", "-m", str(exported.path), "-n", "5", "--stream"]
    output = subprocess.run(
        [sys.executable, "-c", TRACE, *command],
        capture_output=True,
        check=True,
        cwd=ROOT,
        text=True,
        timeout=PATIENCE,
    ).stdout
    called, modules = json.loads(output.splitlines()[-1])
    assert [module for module in walk(1) if not any(file.endswith(module) for file in called)] == []
    loaded = [name.split(".")[1:] for name in modules if name.startswith("textgen.")]
    assert not [name for name in loaded if name[0] in ("sampling", "generation")]
    assert not [name for name in loaded if name[0] == "models" and name[-1] in ("model", "decoder")]

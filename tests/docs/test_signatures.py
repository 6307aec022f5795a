"""docs/reference/signatures.md lists the signatures that are exported."""

import re

from tests.docs.pages import DOCS
from textgen.runtime.directory import read_directory

SIGNATURES, _, OUTPUTS = (
    (DOCS / "reference" / "signatures.md").read_text("utf-8").partition("\n## ")
)


def test_the_table_names_every_signature(exported):
    shown = re.findall(r"^\| `(\w+)` \|", SIGNATURES, re.MULTILINE)
    assert sorted(shown) == sorted(read_directory(exported.path).signatures)


def test_the_table_names_the_inputs_and_outputs_of_the_searches(exported):
    signatures = read_directory(exported.path).signatures
    for name in ("beam_search", "contrastive_search"):
        (row,) = re.findall(rf"^\| `{name}` \|(.*)\|(.*)\|$", SIGNATURES, re.MULTILINE)
        inputs, outputs = (set(re.findall(r"`(\w+)`", cell)) for cell in row)
        assert inputs == set(signatures[name].inputs)
        text = set(signatures["generate"].outputs)
        assert outputs == set(signatures[name].outputs) - text


def test_every_output_of_a_text_is_explained(exported):
    rows = re.findall(r"^\| (`.+?) \|", OUTPUTS, re.MULTILINE)
    shown = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(shown) == sorted(read_directory(exported.path).signatures["generate"].outputs)

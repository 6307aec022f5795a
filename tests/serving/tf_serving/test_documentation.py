"""docs/guides/serving.md tells what there is."""

import re
from pathlib import Path

from textgen.runtime.directory import read_directory
from textgen.serving.checks.file_checks import FILE_CHECKS
from textgen.serving.checks.model_checks import MODEL_CHECKS
from textgen.serving.tf_serving import write_configuration

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "serving.md"
TEXT = PAGE.read_text("utf-8")


def test_the_list_of_checks_is_complete():
    shown = re.findall(r"^  (.+): ok$", TEXT, re.MULTILINE)
    load = "TensorFlow loads it with XLA forbidden"
    assert shown == [*FILE_CHECKS, load, *MODEL_CHECKS]


def test_the_table_names_the_signatures_that_are_exported(exported):
    names = set(read_directory(exported.path).signatures)
    table = TEXT.partition("## Signatures")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(names)


def test_the_table_names_the_inputs_and_outputs_of_the_searches(exported):
    signatures = read_directory(exported.path).signatures
    for name in ("beam_search", "contrastive_search"):
        (row,) = re.findall(rf"^\| `{name}` \|(.*)\|(.*)\|$", TEXT, re.MULTILINE)
        inputs, outputs = (set(re.findall(r"`(\w+)`", cell)) for cell in row)
        assert inputs == set(signatures[name].inputs)
        text = set(signatures["generate"].outputs)
        assert outputs == set(signatures[name].outputs) - text


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert len(links) >= 3
    assert [link for link in links if not (PAGE.parent / link).is_file()] == []


def test_every_configuration_file_is_explained(tmp_path):
    write_configuration(tmp_path, "shakespeare")
    shown = re.findall(r"^\| `([\w.]+)` \| `--.+`", TEXT, re.MULTILINE)
    assert sorted(shown) == sorted(file.name for file in tmp_path.iterdir())

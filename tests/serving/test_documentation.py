"""docs/serving.md tells what there is."""

import re
from pathlib import Path

from textgen.serving import write_configuration
from textgen.serving.file_checks import FILE_CHECKS
from textgen.serving.model_checks import MODEL_CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"
TEXT = PAGE.read_text("utf-8")


def test_the_list_of_checks_is_complete():
    shown = re.findall(r"^  (.+): ok$", TEXT, re.MULTILINE)
    load = "TensorFlow loads it with XLA forbidden"
    assert shown == [*FILE_CHECKS, load, *MODEL_CHECKS]


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert len(links) >= 3
    assert [link for link in links if not (PAGE.parent / link).is_file()] == []


def test_every_configuration_file_is_explained(tmp_path):
    write_configuration(tmp_path, "shakespeare")
    shown = re.findall(r"^\| `([\w.]+)` \| `--.+`", TEXT, re.MULTILINE)
    assert sorted(shown) == sorted(file.name for file in tmp_path.iterdir())

"""docs/guides/serving.md lists every check and every configuration file."""

import re
from pathlib import Path

from textgen.serving.checks.file_checks import FILE_CHECKS
from textgen.serving.checks.model_checks import MODEL_CHECKS
from textgen.serving.tf_serving import write_configuration

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "serving.md"
TEXT = PAGE.read_text("utf-8")


def test_the_list_of_checks_is_complete():
    shown = re.findall(r"^  (.+): ok$", TEXT, re.MULTILINE)
    load = "TensorFlow loads it with XLA forbidden"
    assert shown == [*FILE_CHECKS, load, *MODEL_CHECKS]


def test_every_configuration_file_is_explained(tmp_path):
    write_configuration(tmp_path, "shakespeare")
    shown = re.findall(r"^\| `([\w.]+)` \| `--.+`", TEXT, re.MULTILINE)
    assert sorted(shown) == sorted(file.name for file in tmp_path.iterdir())

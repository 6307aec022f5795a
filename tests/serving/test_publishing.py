"""Publishing: the next version at another base path, whole or not at all."""

import pytest

from textgen.catalog import Catalog
from textgen.serving import publish


def test_a_model_becomes_the_next_version_elsewhere(exported, tmp_path):
    entry = Catalog().find(exported.path)
    (tmp_path / entry.name / "41").mkdir(parents=True)
    path = publish(entry, tmp_path)
    assert path == tmp_path / entry.name / "42"
    for file in exported.path.rglob("*"):
        if file.is_file():
            assert (path / file.relative_to(exported.path)).read_bytes() == file.read_bytes()


def test_beside_the_versions_lie_only_sample_files(exported, tmp_path):
    path = publish(Catalog().find(exported.path), tmp_path)
    numbers = {child.name for child in path.parent.iterdir() if child.is_dir()}
    assert numbers == {"1"}
    assert (path.parent / "models.config").is_file()


def test_nothing_appears_where_a_file_cannot_be_read(copy, tmp_path):
    entry = Catalog().find(copy)
    (copy / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match="dangling"):
        publish(entry, tmp_path / "base")
    assert list((tmp_path / "base" / "mine").iterdir()) == []

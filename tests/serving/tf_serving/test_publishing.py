"""Publishing: the next version at another base path, whole or not at all."""

import errno
import shutil

import pytest

from textgen.catalog import Catalog
from textgen.errors import ConfigError
from textgen.serving.tf_serving import publish


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


@pytest.mark.parametrize("inside", [".", "variables", "new/folder"])
def test_a_model_is_not_published_into_itself(copy, inside):
    before = sorted(copy.rglob("*"))
    with pytest.raises(ConfigError, match="outside of its own folder") as caught:
        publish(Catalog().find(copy), copy / inside)
    assert str(caught.value).endswith(f"Received: {str(copy / inside)!r}")
    assert sorted(copy.rglob("*")) == before


def test_beside_the_version_is_not_inside_it(copy):
    path = publish(Catalog().find(copy), copy.parents[1])
    assert path == copy.with_name("2")


def test_the_first_file_that_cannot_be_written_is_told(copy, tmp_path, monkeypatch):
    def fail(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))

    monkeypatch.setattr(shutil, "copy2", fail)
    with pytest.raises(OSError, match="No space") as caught:
        publish(Catalog().find(copy), tmp_path / "base")
    assert caught.value.strerror == "No space left on device"
    assert caught.value.filename.startswith(str(copy))
    assert caught.value.filename2.startswith(str(tmp_path / "base"))


def test_nothing_appears_where_a_file_cannot_be_read(copy, tmp_path):
    entry = Catalog().find(copy)
    (copy / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="dangling") as caught:
        publish(entry, tmp_path / "base")
    assert caught.value.filename == str(copy / "dangling")
    assert list((tmp_path / "base" / "mine").iterdir()) == []

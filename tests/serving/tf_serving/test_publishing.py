"""Publishing: the next version at another base path, or nothing."""

import errno
import os
import shutil

import pytest

from textgen.catalog import DIGESTS_PATH, Catalog
from textgen.digests import record_digests
from textgen.errors import ConfigError, ModelDamagedError
from textgen.serving.tf_serving import publish


def test_a_model_becomes_the_next_version_elsewhere(exported, tmp_path):
    entry = Catalog().find(exported.path)
    (tmp_path / entry.name / "41").mkdir(parents=True)
    path = publish(entry, tmp_path)
    assert path == tmp_path / entry.name / "42"
    for file in exported.path.rglob("*"):
        if file.is_file():
            assert (path / file.relative_to(exported.path)).read_bytes() == file.read_bytes()


def test_a_loop_of_links_is_no_target(copy, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        publish(Catalog().find(copy), tmp_path / "loop")


def test_a_damaged_version_is_not_published(copy, tmp_path):
    record_digests(copy, copy / DIGESTS_PATH)
    (copy / "variables" / "variables.index").write_bytes(b"damaged")
    with pytest.raises(ModelDamagedError, match=r"variables\.index has changed"):
        publish(Catalog().find(copy), tmp_path / "published")
    assert not (tmp_path / "published").exists()


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
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", fail)
    with pytest.raises(OSError, match="No space"):
        publish(Catalog().find(copy), tmp_path / "base")
    assert not (tmp_path / "base").exists()


@pytest.mark.parametrize("target", ["/etc/hostname", "nowhere", "."])
def test_a_link_is_not_followed_and_nothing_appears(copy, tmp_path, target):
    (copy / "assets.extra" / "link").symlink_to(target)
    with pytest.raises(OSError, match="not a plain file") as caught:
        publish(Catalog().find(copy), tmp_path / "base")
    assert caught.value.filename == str(copy / "assets.extra" / "link")
    assert not (tmp_path / "base").exists()


def test_a_pipe_is_not_waited_for(copy, tmp_path):
    os.mkfifo(copy / "pipe")
    with pytest.raises(OSError, match="not a plain file"):
        publish(Catalog().find(copy), tmp_path / "base")


def test_modes_are_plain(copy, tmp_path):
    (copy / "saved_model.pb").chmod(0o6777)
    path = publish(Catalog().find(copy), tmp_path)
    assert all(file.stat().st_mode & 0o7111 == 0 for file in path.rglob("*") if file.is_file())


def test_what_was_there_stays_when_publishing_fails(copy, tmp_path):
    (tmp_path / "base" / "mine" / "1").mkdir(parents=True)
    (copy / "link").symlink_to("nowhere")
    with pytest.raises(OSError, match="not a plain file"):
        publish(Catalog().find(copy), tmp_path / "base")
    assert [child.name for child in (tmp_path / "base" / "mine").iterdir()] == ["1"]

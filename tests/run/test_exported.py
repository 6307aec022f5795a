"""A run's record of its export is read back while that version exists, and ignored otherwise."""

import pytest

from textgen.run import RunFolder, exported_step, record_export


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "3").mkdir()
    return RunFolder(tmp_path / "train")


def test_the_newest_record_counts(folder):
    assert exported_step(folder) is None
    record_export(folder, 40, "3")
    record_export(folder, 50, "3")
    assert exported_step(folder) == 50


def test_a_record_of_a_version_that_is_gone_does_not_count(folder):
    record_export(folder, 40, "3")
    folder.path.with_name("3").rmdir()
    assert exported_step(folder) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b"\xff", b'{"step": 1, "version": 3}'])
def test_a_damaged_record_does_not_count(folder, damage):
    folder.exported.write_bytes(damage)
    assert exported_step(folder) is None


def test_a_record_that_cannot_be_written_is_no_error(folder):
    folder.exported.mkdir()
    record_export(folder, 40, "3")
    assert exported_step(folder) is None

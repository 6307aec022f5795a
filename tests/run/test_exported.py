"""A run's note of its export: read back while that version is there, and never relied on else."""

import pytest

from textgen.run import exported_step, note_export


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "3").mkdir()
    return tmp_path / "train"


def test_the_newest_note_counts(folder):
    assert exported_step(folder) is None
    note_export(folder, 40, "3")
    note_export(folder, 50, "3")
    assert exported_step(folder) == 50


def test_a_note_of_a_version_that_is_gone_does_not_count(folder):
    note_export(folder, 40, "3")
    (folder.parent / "3").rmdir()
    assert exported_step(folder) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b"\xff", b'{"step": 1, "version": 3}'])
def test_a_damaged_note_does_not_count(folder, damage):
    (folder / "exported.json").write_bytes(damage)
    assert exported_step(folder) is None


def test_a_note_that_cannot_be_written_is_no_error(folder):
    (folder / "exported.json").mkdir()
    note_export(folder, 40, "3")
    assert exported_step(folder) is None

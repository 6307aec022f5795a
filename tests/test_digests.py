"""Digests of files: damage to any of them is noticed."""

import pytest

from textgen.digests import DIGESTS_NAME, DigestError, check_digests, record_digests


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.bin").write_bytes(b"abc")
    (tmp_path / "inner" / "b.json").write_text("{}")
    record_digests(tmp_path, tmp_path / DIGESTS_NAME)
    return tmp_path


def flip(path, position=0):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_files_as_they_were_written_pass(folder):
    check_digests(folder, folder / DIGESTS_NAME)
    check_digests(folder, folder / DIGESTS_NAME, ["a.bin"])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: flip(folder / "a.bin"), "a.bin has changed"),
        (lambda folder: flip(folder / "inner" / "b.json"), "inner/b.json has changed"),
        (lambda folder: (folder / "a.bin").unlink(), "a.bin is missing"),
        (lambda folder: (folder / "new").touch(), "new is not among the files"),
        (lambda folder: (folder / DIGESTS_NAME).write_text("[]"), "digests.json is damaged"),
        (lambda folder: (folder / DIGESTS_NAME).write_text("{"), "digests.json is damaged"),
    ],
)
def test_a_change_is_noticed(folder, damage, message):
    damage(folder)
    with pytest.raises(DigestError, match=message):
        check_digests(folder, folder / DIGESTS_NAME)


def test_only_the_named_files_are_checked(folder):
    flip(folder / "a.bin")
    check_digests(folder, folder / DIGESTS_NAME, ["inner/b.json"])


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname"])
def test_a_record_cannot_name_a_file_outside(folder, name):
    (folder / DIGESTS_NAME).write_text(f'{{"{name}": "0"}}')
    with pytest.raises(DigestError, match="missing"):
        check_digests(folder, folder / DIGESTS_NAME, [name])


def test_without_a_record_there_is_nothing_to_compare_with(tmp_path):
    with pytest.raises(FileNotFoundError):
        check_digests(tmp_path, tmp_path / DIGESTS_NAME)

"""Sources return their bytes, or an error of one sentence."""

import gzip

import pytest

from textgen.corpus import Source
from textgen.errors import CorpusError


def test_gzip_is_decompressed(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"one") + gzip.compress(b" two"))
    assert b"".join(Source(path).read_chunks(2)) == b"one two"


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: b"plain", lambda data: data[:12] + b"\xff" * 9]
)
def test_damaged_gzip_is_an_error(tmp_path, damage):
    path = tmp_path / "a.gz"
    path.write_bytes(damage(gzip.compress(b"some text " * 50)))
    with pytest.raises(CorpusError, match=r"a\.gz: this \.gz file is damaged"):
        list(Source(path).read_chunks())


def test_a_folder_where_a_file_is_expected_is_an_error(tmp_path):
    with pytest.raises(CorpusError, match=r"cannot be read \(Is a directory\)"):
        list(Source(tmp_path).read_chunks())


def test_a_file_without_permission_is_an_error(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "a.txt"
    # Raised by hand, because the superuser may read any file.
    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(CorpusError, match=r"a\.txt: cannot be read \(Permission denied\)"):
        list(Source(path).read_chunks())

"""Files are written whole or not at all."""

import errno
import fcntl
import os
import stat
import tempfile
import threading

import pytest

from textgen.files import publish_folder, replace_atomically, write_atomically


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def names(folder):
    return sorted(child.name for child in folder.iterdir())


def test_a_file_is_written_with_its_folders(tmp_path):
    path = tmp_path / "a" / "b" / "file.json"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(path.parent) == ["file.json"]
    assert mode(path) == 0o644


def test_a_file_is_replaced(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"a long old content")
    write_atomically(path, b"")
    assert path.read_bytes() == b""
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch, step, error):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_an_error_tells_what_was_to_be_written(tmp_path):
    def refuse():
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space") as caught, replace_atomically(tmp_path / "file"):
        refuse()
    assert caught.value.filename == str(tmp_path / "file")
    with pytest.raises(OSError, match="No space") as caught, publish_folder(tmp_path / "folder"):
        refuse()
    assert caught.value.filename == str(tmp_path / "folder")


def test_the_bytes_reach_the_disk_before_the_rename(tmp_path, monkeypatch):
    steps = []
    for step in ("fsync", "replace"):
        original = getattr(os, step)
        monkeypatch.setattr(
            os, step, lambda *a, step=step, do=original: (steps.append(step), do(*a))
        )
    write_atomically(tmp_path / "file", b"new")
    assert steps == ["fsync", "replace"]


def test_a_folder_in_the_file_s_place_is_an_os_error(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="file"):
        write_atomically(tmp_path / "file", b"new")
    assert names(tmp_path) == ["file"]


def test_a_folder_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "models" / "1"
    with publish_folder(path) as scratch:
        (scratch / "sub").mkdir()
        (scratch / "sub" / "file").write_text("x")
        assert not path.exists()
        assert scratch.parent.parent == path.parent  # the same file system: a rename, no copy
        assert scratch.parent.name.startswith(".")
    assert (path / "sub" / "file").read_text() == "x"
    assert names(path.parent) == ["1"]
    # A server often runs as another user.
    assert mode(path) == 0o755


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_a_failed_block_leaves_nothing(tmp_path, error):
    with pytest.raises(type(error)), publish_folder(tmp_path / "1") as scratch:
        (scratch / "sub").mkdir()
        (scratch / "sub" / "file").write_text("x")
        raise error
    assert names(tmp_path) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from textgen.files import publish_folder

with publish_folder(Path(sys.argv[1])) as scratch:
    (scratch / "half").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_goes_with_the_next_folder(tmp_path, run_python):
    run_python(KILLED, tmp_path / "1", check=False)
    assert names(tmp_path) != []
    with publish_folder(tmp_path / "2"):
        pass
    assert names(tmp_path) == ["2"]


def test_what_another_is_writing_stays(tmp_path):
    with publish_folder(tmp_path / "1") as slow:
        (slow / "file").write_text("x")
        with publish_folder(tmp_path / "2"):
            pass
    assert names(tmp_path) == ["1", "2"]
    assert names(tmp_path / "1") == ["file"]


def test_nobody_sweeps_between_the_making_of_a_folder_and_its_lock(tmp_path, monkeypatch):
    make, others = tempfile.mkdtemp, []

    def make_and_wait(**options):
        name = make(**options)
        # Another writer, while this one holds a folder that is not locked yet.
        monkeypatch.undo()
        others.append(threading.Thread(target=publish_other))
        others[0].start()
        others[0].join(0.3)
        return name

    def publish_other():
        with publish_folder(tmp_path / "2"):
            pass

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_wait)
    with publish_folder(tmp_path / "1") as scratch:
        others[0].join()
        assert scratch.is_dir()
    assert names(tmp_path) == ["1", "2"]


def test_where_nothing_can_be_locked_nothing_is_removed(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with publish_folder(tmp_path / "1"), publish_folder(tmp_path / "2"):
        pass
    assert names(tmp_path) == ["1", "2"]


def test_a_folder_with_content_is_kept(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "old").write_text("old")
    with pytest.raises(OSError, match="1"), publish_folder(tmp_path / "1") as scratch:
        (scratch / "new").write_text("new")
    assert names(tmp_path) == ["1"]
    assert names(tmp_path / "1") == ["old"]


def test_a_failed_rename_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match="No space"), publish_folder(tmp_path / "1"):
        pass
    assert names(tmp_path) == []

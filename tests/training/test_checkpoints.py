"""Checkpoints: written whole, the newest readable one wins."""

import logging
import os
import resource
import tracemalloc

import numpy as np
import pytest

from textgen.errors import CheckpointError
from textgen.training.checkpoints import Checkpoints


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints")


def save(checkpoints, *steps):
    for step in steps:
        checkpoints.save(step, {"model/a/kernel": np.full(500, step, np.float32)}, {"step": step})


def names(checkpoints):
    return sorted(path.name for path in checkpoints.folder.iterdir())


def test_what_is_loaded_is_what_was_saved(checkpoints):
    arrays = {"model/x": np.arange(6, dtype=np.float32).reshape(2, 3), "optimizer/n": np.int64(7)}
    checkpoints.save(3, arrays, {"step": 3, "best_loss": float("inf")})
    loaded, progress = checkpoints.load_newest()
    assert progress == {"step": 3, "best_loss": float("inf")}
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].dtype == array.dtype


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_only_the_newest_are_kept(tmp_path, keep):
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep)
    save(checkpoints, 1, 2, 30, 100)
    assert names(checkpoints) == [f"step-{s:08d}.npz" for s in (1, 2, 30, 100)][-keep:]


def test_steps_of_more_digits_than_the_name_has_room_for_are_the_newest(checkpoints):
    save(checkpoints, 99_999_999, 100_000_000, 1_000_000_000)
    assert names(checkpoints) == ["step-100000000.npz", "step-1000000000.npz"]
    assert checkpoints.load_newest()[1] == {"step": 1_000_000_000}


def test_the_best_is_not_one_of_those_removed(checkpoints):
    checkpoints.save_best({"model/x": np.ones(2)}, {"step": 1})
    save(checkpoints, 1, 2, 3, 4)
    assert checkpoints.load_best()[1] == {"step": 1}


def damage_truncated(content):
    return content[: len(content) // 2]


def damage_garbage(content):
    return b"\0not an archive" * 100


def damage_emptied(content):
    return b""


def damage_flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


DAMAGES = [damage_truncated, damage_garbage, damage_emptied, damage_flipped]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_falls_back_to_the_one_before_with_a_warning(checkpoints, damage, caplog):
    save(checkpoints, 1, 2)
    newest = checkpoints.folder / "step-00000002.npz"
    newest.write_bytes(damage(newest.read_bytes()))
    with caplog.at_level(logging.WARNING):
        arrays, progress = checkpoints.load_newest()
    assert progress == {"step": 1}
    assert arrays["model/a/kernel"][0] == 1
    assert newest.name in caplog.text


@pytest.mark.parametrize("damage", DAMAGES)
def test_only_damaged_ones_are_an_error(checkpoints, damage):
    save(checkpoints, 1)
    checkpoints.save_best({"model/x": np.ones(500)}, {"step": 1})
    for path in checkpoints.folder.iterdir():
        path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError):
        checkpoints.load_newest()
    with pytest.raises(CheckpointError):
        checkpoints.load_best()


def test_every_cut_and_many_flipped_bits_are_noticed(checkpoints):
    save(checkpoints, 1)
    path = checkpoints.folder / "step-00000001.npz"
    content, (arrays, progress) = path.read_bytes(), checkpoints.load_newest()
    for place in range(0, len(content), 7):
        flipped = content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]
        for damaged in (content[:place], flipped):
            path.write_bytes(damaged)
            try:
                loaded = checkpoints.load_newest()
            except CheckpointError:
                continue
            # Not every byte of an archive is used; what was read must be right.
            assert loaded[1] == progress
            np.testing.assert_array_equal(loaded[0]["model/a/kernel"], arrays["model/a/kernel"])


def test_pickled_objects_are_refused(checkpoints):
    checkpoints.folder.mkdir()
    objects = np.array([{}], dtype=object)
    np.savez(checkpoints.folder / "step-00000001.npz", progress=objects, x=objects)
    with pytest.raises(CheckpointError):
        checkpoints.load_newest()


def test_without_any_there_is_an_error(checkpoints):
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        checkpoints.load_newest()


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_write_that_fails_leaves_the_old_ones(checkpoints, monkeypatch, function):
    save(checkpoints, 1, 2)
    before = names(checkpoints)

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        with pytest.raises(OSError, match="No space left"):
            save(checkpoints, 3)
    assert names(checkpoints) == before
    assert checkpoints.load_newest()[1] == {"step": 2}


def test_a_checkpoint_takes_little_memory_to_write(checkpoints):
    arrays = {"model/x": np.zeros(2**25, np.float32)}
    tracemalloc.start()
    try:
        checkpoints.save(1, arrays, {"step": 1})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < arrays["model/x"].nbytes / 2


@pytest.fixture
def no_file_longer_than():
    """Let the kernel refuse to write past so many bytes of a file, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(num_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_really_full_keeps_the_old_ones_and_no_half_written_file(
    checkpoints, no_file_longer_than
):
    save(checkpoints, 1, 2)
    before = names(checkpoints)
    no_file_longer_than(2**18)
    with pytest.raises(OSError, match="File too large"):
        checkpoints.save(3, {"model/a/kernel": np.ones(2**20, np.float32)}, {"step": 3})
    assert names(checkpoints) == before
    assert checkpoints.load_newest()[1] == {"step": 2}


def test_what_a_killed_process_left_half_written_goes_with_the_next_save(checkpoints):
    save(checkpoints, 1, 2)
    for name in (".step-00000003.npz.abc123", ".best.npz.abc123"):
        (checkpoints.folder / name).write_bytes(b"half")
    save(checkpoints, 3)
    assert names(checkpoints) == ["step-00000002.npz", "step-00000003.npz"]

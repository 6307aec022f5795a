"""Arrays in files that another program may have written: read as they are, or refused."""

import io
import os
import random
import zipfile

import numpy as np
import pytest

from tests.examination.mutations import mutate
from textgen.arrays import map_array, read_archive


@pytest.fixture
def array(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(300, dtype=np.uint16))
    return path


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, weights=np.arange(300, dtype=np.float32), step=np.array([7]))
    return path


def header(shape):
    file = io.BytesIO()
    description = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)
    return file.getvalue()


def test_what_numpy_wrote_comes_back(array, archive, tmp_path):
    assert (map_array(array) == np.arange(300)).all()
    assert not map_array(array).flags.writeable
    assert {name: values.size for name, values in read_archive(archive).items()} == {
        "weights": 300,
        "step": 1,
    }
    np.save(tmp_path / "empty.npy", np.zeros(0, np.uint32))
    assert map_array(tmp_path / "empty.npy").dtype == np.uint32


@pytest.mark.parametrize("read", [map_array, read_archive])
def test_only_plain_files_are_read(read, array, archive, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(array if read is map_array else archive)
    for name in ("pipe", "link"):
        with pytest.raises(OSError, match="not a plain file"):
            read(tmp_path / name)


@pytest.mark.parametrize(("read", "name"), [(map_array, "array"), (read_archive, "archive")])
def test_any_damage_is_one_kind_of_error_or_goes_unnoticed(read, name, request):
    path = request.getfixturevalue(name)
    content = path.read_bytes()
    for seed in range(300):
        path.write_bytes(mutate(content, random.Random(seed))[0])
        try:
            read(path)
        except (OSError, ValueError):
            continue


def test_a_header_cannot_allocate_what_the_file_does_not_hold(array, archive):
    array.write_bytes(header((1 << 42,)))
    with pytest.raises(ValueError, match=r"mmap|larger|size"):
        map_array(array)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.npy", header((1 << 42,)))
    with pytest.raises(ValueError, match="allocate"):
        read_archive(archive)


def test_objects_and_compressed_arrays_are_refused(array, archive):
    np.save(array, np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="object"):
        map_array(array)
    np.savez_compressed(archive, a=np.zeros(10**6))
    with pytest.raises(ValueError, match="compressed"):
        read_archive(archive)

import random
import shutil

import pytest

from textgen.errors import ModelDamagedError, TextgenError
from textgen.runtime import SavedModel

INDEX = "variables/variables.index"
SHARD = "variables/variables.data-00000-of-00001"


@pytest.fixture
def copy(toy, tmp_path):
    return shutil.copytree(toy, tmp_path / "copy")


def damaged(path, message):
    with pytest.raises(ModelDamagedError, match=message) as caught:
        SavedModel(path, trusted=True)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_such_folder(tmp_path):
    damaged(tmp_path / "none", "must be a folder")


def test_a_file(copy):
    damaged(copy / "saved_model.pb", "must be a folder")


def test_a_folder_of_something_else(tmp_path):
    damaged(tmp_path, "holds no saved_model.pb")


@pytest.mark.parametrize("content", [b"", b"hello, world", bytes(1000), b"\x08\x01"])
def test_garbage(copy, content):
    (copy / "saved_model.pb").write_bytes(content)
    damaged(copy, "saved_model.pb is damaged")


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_cut_off(copy, keep):
    data = (copy / "saved_model.pb").read_bytes()
    (copy / "saved_model.pb").write_bytes(data[: int(len(data) * keep)])
    damaged(copy, "saved_model.pb is damaged: field 2 is cut off")


def test_another_tag(copy):
    data = (copy / "saved_model.pb").read_bytes()
    (copy / "saved_model.pb").write_bytes(data.replace(b"\x22\x05serve", b"\x22\x05train"))
    damaged(copy, 'no graph with the tag "serve"')


def test_signature_that_names_no_tensor(copy):
    data = (copy / "saved_model.pb").read_bytes()
    (copy / "saved_model.pb").write_bytes(
        data.replace(b"\x0a\x0escale_factor:0", b"\x0a\x0escale_factor:9")
    )
    damaged(copy, "its graph has no tensor scale_factor:9")


@pytest.mark.parametrize("name", [INDEX, "assets/words.txt"])
def test_missing_files(copy, name):
    (copy / name).unlink()
    damaged(copy, f"{name} is missing")


def test_missing_shard(copy):
    (copy / SHARD).unlink()
    damaged(copy, "cannot be loaded: .*")


@pytest.mark.parametrize("name", [INDEX, SHARD])
def test_cut_off_variables(copy, name):
    (copy / name).write_bytes((copy / name).read_bytes()[:-10])
    damaged(copy, "cannot be loaded: .*")


def test_no_variables_at_all(copy):
    shutil.rmtree(copy / "variables")
    damaged(copy, "variables.index is missing")


@pytest.mark.parametrize("seed", range(40))
def test_any_flipped_bytes_end_in_an_error_or_a_model(toy, tmp_path, seed):
    rng = random.Random(seed)
    copy = shutil.copytree(toy, tmp_path / "copy")
    file = copy / rng.choice(["saved_model.pb", INDEX, SHARD])
    data = bytearray(file.read_bytes())
    for _ in range(rng.choice([1, 5, 50])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    file.write_bytes(data)
    try:
        with SavedModel(copy, trusted=True) as model:
            model.run("serving_default", text=["a"], times=2)
    except TextgenError:
        pass


def test_folder_names_of_any_kind(toy, tmp_path):
    folder = shutil.copytree(toy, tmp_path / "мой роман, 1")
    with SavedModel(str(folder), trusted=True) as model:
        assert model.run("fail", x=1)["y"] == 1

"""A SavedModel that could do more than generate text is refused before TensorFlow sees it."""

import shutil

import pytest

from tests.examination.hostile_graphs import CANARY, HOSTILE_GRAPHS, make_hostile
from textgen.errors import ModelDamagedError, ModelUnsafeError
from textgen.runtime import SavedModel, saved_model


@pytest.fixture
def copy(exported_models, tmp_path):
    return shutil.copytree(exported_models["lstm"].path, tmp_path / "copy")


def assert_refused(path, monkeypatch, message=None):
    monkeypatch.setattr(saved_model, "_open_backend", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(ModelDamagedError, match=message) as caught:
        SavedModel(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not CANARY.exists()
    return caught.value


@pytest.mark.parametrize("change", HOSTILE_GRAPHS.values(), ids=HOSTILE_GRAPHS)
def test_a_hostile_graph_is_not_loaded(copy, monkeypatch, change):
    make_hostile(copy, change)
    assert_refused(copy, monkeypatch)


def test_the_error_names_the_operation(copy, monkeypatch):
    make_hostile(copy, HOSTILE_GRAPHS["WriteFile at load"])
    error = assert_refused(copy, monkeypatch, "was not loaded: its graph has the operation 'WriteF")
    assert isinstance(error, ModelUnsafeError)


def test_a_loop_of_known_operations_is_refused_at_load(copy, monkeypatch):
    make_hostile(copy, HOSTILE_GRAPHS["an endless loop at load"])
    assert_refused(copy, monkeypatch, "loading it runs the operation")


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", "variables", "fingerprint.pb"]
)
def test_a_link_is_refused(copy, tmp_path, monkeypatch, name):
    if (copy / name).exists():
        (copy / name).rename(tmp_path / "elsewhere")
    (copy / name).symlink_to(tmp_path / "elsewhere")
    assert_refused(copy, monkeypatch, f"{name} is not a plain file")


def test_another_file_of_the_variables_that_is_a_link_is_refused(copy, monkeypatch):
    (copy / "variables" / "variables.data-00001-of-00002").symlink_to("/etc/hostname")
    assert_refused(copy, monkeypatch, "is not a plain file")


@pytest.mark.parametrize("name", ["saved_model.cpb", "saved_model.pbtxt"])
def test_a_second_form_of_the_graph_is_refused(copy, monkeypatch, name):
    (copy / name).write_bytes(b"")
    assert_refused(copy, monkeypatch, "it holds a second graph")

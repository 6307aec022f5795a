"""Models are deleted and renamed as a whole, and not under a training run."""

import pytest

from textgen.catalog import Catalog
from textgen.errors import ConfigError, ModelBusyError, ModelNotFoundError
from textgen.run import ModelRuns, RunLock
from textgen.serving.tf_serving import write_configuration
from textgen.upkeep import delete_model, find_versions, rename_model


@pytest.fixture
def catalog(tmp_path):
    """A models folder with `mine`, of three versions and a run."""
    catalog = Catalog(tmp_path / "models")
    for _ in range(3):
        catalog.add_version("mine", lambda folder: (folder / "saved_model.pb").write_bytes(b"x"))
    folder = catalog.model_folder("mine")
    (folder / "train").mkdir()
    write_configuration(folder, "mine")
    return catalog


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_all_versions_are_found_the_newest_first(catalog):
    assert find_versions(catalog, "mine") == [3, 2, 1]
    assert catalog.find("mine/2").version == 2


def test_one_version_is_deleted_and_the_rest_stays(catalog):
    delete_model(catalog, "mine", 2)
    assert find_versions(catalog, "mine") == [3, 1]
    assert "train" in names(catalog.model_folder("mine"))
    assert names(catalog.folder) == ["mine"]


def test_a_model_is_deleted_with_everything_in_its_folder(catalog):
    delete_model(catalog, "mine")
    assert names(catalog.folder) == []


def test_a_run_without_versions_is_a_model_to_delete(catalog):
    (catalog.model_folder("begun") / "train").mkdir(parents=True)
    assert find_versions(catalog, "begun") == []
    delete_model(catalog, "begun")
    assert names(catalog.folder) == ["mine"]


@pytest.mark.parametrize(("name", "version"), [("other", None), ("mine", 4), ("mine", 0)])
def test_what_is_not_there_cannot_be_deleted(catalog, name, version):
    with pytest.raises(ModelNotFoundError):
        delete_model(catalog, name, version)
    assert find_versions(catalog, "mine") == [3, 2, 1]


def test_a_folder_that_is_no_model_is_left_alone(catalog):
    (catalog.folder / "letters").mkdir()
    with pytest.raises(ModelNotFoundError):
        delete_model(catalog, "letters")
    assert names(catalog.folder) == ["letters", "mine"]


def test_a_model_in_training_is_neither_deleted_nor_renamed(catalog):
    with RunLock(ModelRuns(catalog.model_folder("mine"))) as lock:
        lock.acquire()
        with pytest.raises(ModelBusyError):
            delete_model(catalog, "mine")
        with pytest.raises(ModelBusyError):
            delete_model(catalog, "mine", 1)
        with pytest.raises(ModelBusyError):
            rename_model(catalog, "mine", "yours")
    assert find_versions(catalog, "mine") == [3, 2, 1]


def test_a_renamed_model_keeps_versions_run_and_configuration(catalog):
    folder = rename_model(catalog, "mine", "yours")
    assert find_versions(catalog, "yours") == [3, 2, 1]
    assert names(catalog.folder) == ["yours"]
    assert {"1", "2", "3", "train"} < set(names(folder))
    assert "train.lock" not in names(folder)
    assert 'name: "yours"' in (folder / "models.config").read_text()
    assert find_versions(catalog, "yours")


def test_a_configuration_that_the_user_changed_stays_as_it_is(catalog):
    path = catalog.model_folder("mine") / "models.config"
    path.write_text("mine, changed")
    folder = rename_model(catalog, "mine", "yours")
    assert (folder / "models.config").read_text() == "mine, changed"


@pytest.mark.parametrize("new", ["taken", "mine", "a/b", "", ".."])
def test_a_new_name_must_be_free_and_a_name(catalog, new):
    catalog.add_version("taken", lambda folder: (folder / "saved_model.pb").write_bytes(b"x"))
    with pytest.raises(ConfigError):
        rename_model(catalog, "mine", new)
    assert names(catalog.folder) == ["mine", "taken"]


def test_a_model_behind_a_link_is_changed_where_it_is(catalog, tmp_path):
    (tmp_path / "other").mkdir()
    catalog.model_folder("mine").rename(tmp_path / "other" / "mine")
    catalog.model_folder("mine").symlink_to(tmp_path / "other" / "mine")
    with pytest.raises(ConfigError, match="link"):
        delete_model(catalog, "mine")
    assert (tmp_path / "other" / "mine" / "3").is_dir()

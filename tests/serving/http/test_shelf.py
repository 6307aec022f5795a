"""New versions are picked up while the server answers."""

import logging
import shutil
import threading

import pytest

from tests.examination.hostile_graphs import CANARY, HOSTILE_GRAPHS, make_hostile
from tests.serving.http.conftest import running
from tests.waiting import wait_until
from textgen.catalog import Catalog
from textgen.errors import ModelDamagedError, ModelNotFoundError
from textgen.serving.http.errors import ApiError
from textgen.serving.http.limits import Limits
from textgen.serving.http.shelf import Shelf


@pytest.fixture
def folder(exported_models, tmp_path):
    """A models folder of its own with version 1 of one model."""
    shutil.copytree(exported_models["transformer"].path, tmp_path / "mine" / "1")
    return tmp_path


def add_version(folder, number):
    shutil.copytree(folder / "mine" / "1", folder / "mine" / str(number))


def test_a_new_version_replaces_the_old_one(folder):
    shelf = Shelf(Catalog(folder), [], Limits())
    with shelf.use("mine") as (_, old):
        add_version(folder, 2)
        shelf.refresh()
        assert shelf.models["mine"].entry.version == 2
        # What began with the old version ends with it.
        assert old.generator.generate("a", max_new_tokens=2, seed=1).text
        assert old.engine.is_alive
    wait_until(lambda: not old.engine.is_alive)
    shelf.close()


def test_no_request_is_lost_while_versions_change(folder):
    with running(folder) as server:
        statuses, is_over = [], threading.Event()

        def ask():
            while not is_over.is_set():
                body = {"prompt": "a", "max_tokens": 20, "seed": 1}
                reply = server.post("/v1/completions", body)
                statuses.append((reply.status, reply.json["choices"][0]["text"]))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in (2, 3):
            num_answers = len(statuses)
            wait_until(lambda n=num_answers: len(statuses) > n)
            add_version(folder, number)
            server.shelf.refresh()
        is_over.set()
        for thread in threads:
            thread.join()
        assert server.get("/health").json["models"] == {"mine": 3}
    assert len(set(statuses)) == 1
    assert statuses[0][0] == 200


@pytest.mark.parametrize(
    "damage",
    [
        lambda version: (version / "saved_model.pb").write_bytes(b"damaged"),
        lambda version: make_hostile(version, HOSTILE_GRAPHS["WriteFile at load"]),
        lambda version: (version / "assets.extra" / "textgen.json").write_text("[" * 10_000),
    ],
    ids=["no graph", "a hostile graph", "a hostile card"],
)
def test_a_bad_version_is_reported_once_and_the_old_one_continues(folder, damage, caplog):
    shelf = Shelf(Catalog(folder), ["mine"], Limits())
    add_version(folder, 2)
    damage(folder / "mine" / "2")
    with caplog.at_level(logging.ERROR, "textgen"):
        shelf.refresh()
        shelf.refresh()
    (record,) = caplog.records
    assert "mine: version 2 cannot be served" in record.getMessage()
    assert str(folder) not in record.getMessage()
    assert shelf.models["mine"].entry.version == 1
    assert not CANARY.exists()
    shelf.close()


def test_a_model_that_appears_is_served(folder):
    shelf = Shelf(Catalog(folder), [], Limits())
    shutil.copytree(folder / "mine", folder / "other")
    shelf.refresh()
    assert set(shelf.models) == {"mine", "other"}
    shelf.close()


def test_a_name_with_a_version_stays_there(folder):
    add_version(folder, 2)
    shelf = Shelf(Catalog(folder), ["mine", "mine/1"], Limits())
    versions = {name: model.entry.version for name, model in shelf.models.items()}
    assert versions == {"mine": 2, "mine/1": 1}
    shelf.close()


def test_there_must_be_a_model(tmp_path, folder):
    with pytest.raises(ModelNotFoundError, match="no model"):
        Shelf(Catalog(tmp_path / "empty"), [], Limits())
    with pytest.raises(ModelNotFoundError, match="'none'"):
        Shelf(Catalog(folder), ["none"], Limits())
    (folder / "mine" / "1" / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(ModelDamagedError):
        Shelf(Catalog(folder), ["mine"], Limits())


def test_an_unknown_id_is_an_error(folder):
    shelf = Shelf(Catalog(folder), [], Limits())
    with pytest.raises(ApiError, match="no model 'x'"), shelf.use("x"):
        pass
    shelf.close()

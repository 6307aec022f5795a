"""Models on disk: names, versions, and nothing half-written to be seen."""

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.catalog import (
    CARD_PATH,
    CHAT_TEMPLATE_PATH,
    DIGESTS_PATH,
    MODELS_VARIABLE,
    Catalog,
    check_name,
)
from textgen.errors import ConfigError, ModelDamagedError, ModelNotFoundError

CARD = {
    "model": {
        "architecture": "lstm",
        **dict.fromkeys(("num_layers", "hidden_dim", "context_length"), 1),
    },
    "num_parameters": 10,
    "tokenizer": {"kind": "character", "vocab_size": 5},
    "corpus": {
        "description": "noise",
        "digest": "0",
        "has_documents": False,
        "config": {},
        "num_documents": 1,
        "num_characters": 10,
    },
    "training": {"batch_size": 1, "optimizer": "adamw", "ended_by": "max_steps"},
    "steps": 1,
    "validation_loss": 1.0,
    "perplexity": 2.7,
    "bits_per_character": 1,
    "created": "2000-01-01",
    "versions": {"textgen": "0", "tensorflow": "0", "keras": "0"},
}


@pytest.fixture
def catalog(tmp_path):
    return Catalog(tmp_path / "saved_models")


def put(catalog, name, content="graph", written_at=None):
    """Publish a version as the export does; return its folder."""

    def write(folder):
        (folder / "saved_model.pb").write_text(content)
        (folder / CARD_PATH.parent).mkdir()
        (folder / CARD_PATH).write_text(json.dumps(CARD))

    path = catalog.add_version(name, write)
    if written_at is not None:
        os.utime(path / "saved_model.pb", (written_at, written_at))
    return path


@pytest.mark.parametrize("name", ["mine", "紅樓夢", "Пушкин", "a.b", "v-2", "with space", "é", "1"])
def test_a_plain_name_is_taken(catalog, name):
    assert check_name(name) == name
    put(catalog, name)
    assert catalog.find(name).name == name


BAD_NAMES = ["", ".", "..", ".hidden", "-rf", "a/b", "/etc", "a\\b", "C:", "../a", " a", "a ", "\t"]


@pytest.mark.parametrize("name", [*BAD_NAMES, "a\nb", "a\0", "a\x1b[31m", "a\u202eb", "a\u200b"])
def test_any_other_name_is_refused(catalog, name):
    with pytest.raises(ConfigError, match="must be a plain folder name") as caught:
        catalog.model_folder(name)
    assert str(caught.value).isprintable()
    assert str(caught.value).endswith(f"Received: {name!r}")
    with pytest.raises(ConfigError):
        catalog.add_version(name, lambda folder: None)
    assert not catalog.folder.exists()


@given(st.text())
def test_a_name_never_leads_out_of_the_models_folder(name):
    try:
        folder = Catalog("models").model_folder(name)
    except ConfigError:
        return
    assert folder.parent == Path("models")
    assert os.path.normpath(folder) == str(folder)
    assert not folder.name.startswith(".")


def test_versions_count_up_and_the_newest_is_found(catalog):
    paths = [put(catalog, "mine", str(number)) for number in range(11)]
    assert [path.name for path in paths] == [str(number) for number in range(1, 12)]
    entry = catalog.find("mine")
    assert (entry.name, entry.version, entry.path) == ("mine", 11, catalog.folder / "mine" / "11")
    assert [entry.version for entry in catalog.entries()] == [11]


def test_a_number_is_not_given_twice(catalog):
    put(catalog, "mine")
    # Damaged, so that no reader sees it; yet its number is taken.
    (catalog.folder / "mine" / "7").mkdir()
    assert catalog.find("mine").version == 1
    assert put(catalog, "mine").name == "8"


def test_the_newest_model_is_first_and_the_default(catalog):
    put(catalog, "old", written_at=100)
    put(catalog, "newest", written_at=300)
    put(catalog, "middle", written_at=200)
    assert [entry.name for entry in catalog.entries()] == ["newest", "middle", "old"]
    assert catalog.find().name == "newest"


def test_a_model_is_found_by_name_and_by_path(catalog, monkeypatch):
    first, second = put(catalog, "mine", "one"), put(catalog, "mine", "two")
    for wanted in ("mine", "mine/2", second, str(second), second.parent, f"{second.parent}/"):
        entry = catalog.find(wanted)
        assert (entry.name, entry.version) == ("mine", 2)
        assert (entry.path / "saved_model.pb").read_text() == "two"
    assert catalog.find(first).version == 1
    # The folder of one catalog serves as a path to any other.
    assert Catalog(catalog.folder / "elsewhere").find(second.parent).version == 2
    for folder, wanted in ((second, "."), (second.parent, "."), (second.parent, "1")):
        monkeypatch.chdir(folder)
        entry = Catalog("elsewhere").find(wanted)
        assert (entry.name, entry.version) == ("mine", 1 if wanted == "1" else 2)


def test_a_linked_model_has_the_name_of_the_link(catalog, tmp_path, monkeypatch):
    elsewhere = Catalog(tmp_path / "elsewhere")
    path = put(elsewhere, "m")
    catalog.folder.mkdir()
    (catalog.folder / "alias").symlink_to(path.parent)
    (entry,) = catalog.entries()
    assert (entry.name, entry.version) == ("alias", 1)
    for wanted in (entry.name, "alias/1", entry.path, catalog.folder / "alias"):
        assert (catalog.find(wanted).name, catalog.find(wanted).version) == ("alias", 1)
    # A version may have another name as well.
    (path.parent / "best").symlink_to("1")
    found = elsewhere.find("m/best")
    assert (found.name, found.version) == ("m", 1)
    monkeypatch.chdir(path)
    for wanted in (".", ".."):
        assert (elsewhere.find(wanted).name, elsewhere.find(wanted).version) == ("m", 1)


def test_a_folder_that_cannot_be_read_is_passed_over(catalog, monkeypatch, caplog):
    put(catalog, "mine")
    put(catalog, "secret")
    read = Path.iterdir

    def refuse(folder):
        if folder.name == "secret":
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return read(folder)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert [entry.name for entry in catalog.entries()] == ["mine"]
    assert "secret cannot be read (Permission denied)" in caplog.text
    assert catalog.find().name == "mine"
    with pytest.raises(ModelNotFoundError, match="Models there: mine"):
        catalog.find("nosuch")


def test_a_saved_model_outside_a_version_folder_has_no_version(catalog, tmp_path):
    put(catalog, "mine").rename(tmp_path / "export")
    entry = catalog.find(tmp_path / "export")
    assert (entry.name, entry.version) == ("export", None)


def test_a_version_number_may_have_leading_zeros(catalog):
    # TensorFlow Serving reads such folders too.
    path = put(catalog, "mine")
    path.rename(path.with_name("0012"))
    entry = catalog.find("mine")
    assert (entry.version, entry.path.name) == (12, "0012")
    assert put(catalog, "mine").name == "13"


def test_a_name_wins_over_a_folder_in_the_working_directory(catalog, tmp_path, monkeypatch):
    put(catalog, "mine", "named")
    put(Catalog(tmp_path / "work"), "mine", "local")
    monkeypatch.chdir(tmp_path / "work")
    assert (catalog.find("mine").path / "saved_model.pb").read_text() == "named"
    assert (catalog.find("./../work/mine").path / "saved_model.pb").read_text() == "local"


def test_the_models_folder_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "there"))
    assert Catalog().folder == tmp_path / "there"
    assert Catalog(tmp_path / "given").folder == tmp_path / "given"
    monkeypatch.setenv(MODELS_VARIABLE, "")
    assert Catalog().folder == Path("saved_models")
    monkeypatch.delenv(MODELS_VARIABLE)
    assert Catalog().folder == Path("saved_models")


def test_an_unknown_name_lists_the_known_ones(catalog):
    put(catalog, "one", written_at=100)
    put(catalog, "two", written_at=200)
    with pytest.raises(ModelNotFoundError, match=r"'three'.*Models there: two, one\.$"):
        catalog.find("three")


@pytest.mark.parametrize("name", ["", "a\0b", "a" * 300, "../x", "\n", "字" * 200])
def test_any_name_without_a_model_is_not_found(catalog, name):
    for models in (catalog, Catalog(catalog.folder / "none")):
        with pytest.raises(ModelNotFoundError, match="There is no model") as caught:
            models.find(name)
        assert "\n" not in str(caught.value)


def test_an_empty_catalog_says_how_to_train(catalog):
    assert catalog.entries() == []
    with pytest.raises(ModelNotFoundError, match="Train one first"):
        catalog.find()
    with pytest.raises(ModelNotFoundError, match="Models there: none"):
        catalog.find("mine")


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_export_leaves_the_version_before(catalog, error):
    put(catalog, "mine", "good")

    def fail(folder):
        (folder / "saved_model.pb").write_text("half")
        (folder / "variables").mkdir()
        # Half-written, and nobody sees it.
        assert catalog.find("mine").version == 1
        assert [entry.version for entry in catalog.entries()] == [1]
        raise error

    with pytest.raises(type(error)):
        catalog.add_version("mine", fail)
    assert [child.name for child in (catalog.folder / "mine").iterdir()] == ["1"]
    assert (catalog.find("mine").path / "saved_model.pb").read_text() == "good"
    assert put(catalog, "mine", "next").name == "2"


def test_a_failed_first_export_leaves_no_model(catalog):
    def fail(folder):
        (folder / "saved_model.pb").write_text("half")
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        catalog.add_version("mine", fail)
    assert catalog.entries() == []
    assert not (catalog.folder / "mine").exists()


def test_what_a_killed_process_left_is_never_a_version(catalog):
    put(catalog, "mine")
    for name in (".unpublished.abcd1234", "train", "train.previous", "2.tmp", "٣", "²", "-4"):
        litter = catalog.folder / "mine" / name
        litter.mkdir()
        (litter / "saved_model.pb").write_text("not a version")
    (catalog.folder / "mine" / "9").write_text("a file, no folder")
    (catalog.folder / "README.md").write_text("a file, no model")
    (catalog.folder / "empty").mkdir()
    (catalog.folder / ".trash" / "1").mkdir(parents=True)
    (catalog.folder / ".trash" / "1" / "saved_model.pb").write_text("hidden")
    assert [(entry.name, entry.version) for entry in catalog.entries()] == [("mine", 1)]
    assert catalog.find("mine").version == 1


def test_of_two_exports_at_once_the_later_gets_the_next_number(catalog):
    def write_slowly(folder):
        (folder / "saved_model.pb").write_text("slow")
        assert put(catalog, "mine", "fast").name == "1"

    assert catalog.add_version("mine", write_slowly).name == "2"
    contents = {
        child.name: (child / "saved_model.pb").read_text()
        for child in (catalog.folder / "mine").iterdir()
    }
    assert contents == {"1": "fast", "2": "slow"}


def test_a_number_taken_just_before_the_rename_is_passed_over(catalog, monkeypatch):
    rename = os.rename

    def race(source, target):
        monkeypatch.undo()
        put(catalog, "mine", "fast")
        rename(source, target)

    monkeypatch.setattr(os, "rename", race)
    assert put(catalog, "mine", "slow").name == "2"
    assert (catalog.folder / "mine" / "1" / "saved_model.pb").read_text() == "fast"


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC])
def test_a_rename_that_fails_otherwise_is_not_tried_again(catalog, monkeypatch, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match=os.strerror(number)):
        put(catalog, "mine")
    assert not (catalog.folder / "mine").exists()


def test_the_size_counts_all_files(catalog):
    path = put(catalog, "mine", "x" * 1000)
    size = (path / DIGESTS_PATH).stat().st_size
    assert catalog.find("mine").num_bytes == 1000 + len(json.dumps(CARD)) + size


def test_a_card_is_read(catalog):
    put(catalog, "mine")
    assert catalog.find("mine").card.to_dict() == CARD


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff", b"[]", b"3", b"null", b"{}", b'"a"'])
def test_a_damaged_card_is_named(catalog, content):
    path = put(catalog, "mine")
    if content is None:
        (path / CARD_PATH).unlink()
    else:
        (path / CARD_PATH).write_bytes(content)
    with pytest.raises(ModelDamagedError, match=r"textgen\.json is missing or damaged") as caught:
        _ = catalog.find("mine").card
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


FIELDS = [
    *((name,) for name in CARD),
    *((part, name) for part, fields in CARD.items() if isinstance(fields, dict) for name in fields),
]


@pytest.mark.parametrize("field", FIELDS, ids=".".join)
@pytest.mark.parametrize("change", [dict.pop, lambda part, name: part.update({name: None})])
def test_a_card_without_one_of_its_fields_is_damaged(catalog, field, change):
    path = put(catalog, "mine")
    card = json.loads(json.dumps(CARD))
    *parts, name = field
    change(card[parts[0]] if parts else card, name)
    (path / CARD_PATH).write_text(json.dumps(card))
    with pytest.raises(ModelDamagedError, match=name):
        _ = catalog.find("mine").card


def test_a_version_knows_its_files(catalog):
    path = put(catalog, "mine")
    entry = catalog.find("mine")
    entry.check_files(all_files=True)
    (path / "saved_model.pb").write_text("grapf")
    with pytest.raises(
        ModelDamagedError, match=r"saved_model\.pb has changed since it was written"
    ):
        entry.check_files(all_files=True)


def test_a_chat_template_is_checked_before_it_is_used(catalog):
    path = put(catalog, "mine")
    (path / CHAT_TEMPLATE_PATH).write_text("{{ messages }}")
    with pytest.raises(ModelDamagedError, match=r"chat_template\.jinja is not among the files"):
        catalog.find("mine").check_files()


def test_a_version_that_something_else_wrote_is_not_checked(catalog):
    path = put(catalog, "mine")
    (path / DIGESTS_PATH).unlink()
    catalog.find("mine").check_files(all_files=True)


def test_a_copy_keeps_the_digests_of_its_writer(catalog):
    def write(folder):
        (folder / DIGESTS_PATH.parent).mkdir()
        (folder / DIGESTS_PATH).write_text("{}")

    assert (catalog.add_version("mine", write) / DIGESTS_PATH).read_text() == "{}"


def test_a_models_folder_that_tensorflow_cannot_name_is_refused(tmp_path):
    catalog = Catalog(tmp_path / os.fsdecode(b"models-\xff"))
    assert catalog.entries() == []
    with pytest.raises(ConfigError, match="whose name is UTF-8"):
        catalog.model_folder("mine")

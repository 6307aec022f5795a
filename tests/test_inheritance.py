"""What a run takes from a model that it begins from, and what is refused."""

import json
import shutil

import pytest

import textgen
from textgen.config import RunConfig, given_settings
from textgen.errors import ConfigError, ModelDamagedError, ModelNotFoundError
from textgen.inheritance import find_parent, inherit


@pytest.fixture
def parent(exported):
    return find_parent(textgen.Catalog(exported.path.parents[1]), exported.path.parent.name)


def inherited(parent, **settings):
    given = given_settings({"from_model": "parent", **settings})
    return inherit(RunConfig.from_settings(given), given, *parent)


def test_shape_tokenizer_and_cleaning_come_from_the_parent(parent, exported):
    config = inherited(parent, learning_rate=0.1, dropout=0.3, split_documents="line")
    shape = exported.generator.decoder.config.to_dict()
    assert config.model.to_dict() == {**shape, "dropout": 0.3}
    assert (config.training.learning_rate, config.tokenizer) == (0.1, "auto")
    assert (config.corpus.lowercase, config.corpus.normalize) == (True, "nfc")
    assert config.corpus.split_documents == "line"
    assert not inherited(parent, lowercase=False).corpus.lowercase
    assert parent[0].tokenizer.to_dict() == exported.tokenizer.to_dict()


def test_settings_that_agree_with_the_parent_may_be_given(parent, exported):
    shape = exported.generator.decoder.config
    known = {name: getattr(shape, name) for name in shape.setting_names()}
    assert inherited(parent, **known, tokenizer="character").model == shape


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("num_layers", 3),
        ("hidden_dim", 32),
        ("context_length", 20),
        ("context_length", 4),
        ("tokenizer", "bpe"),
        ("min_count", 2),
    ],
)
def test_a_setting_that_contradicts_the_parent_is_named(parent, setting, value):
    with pytest.raises(ConfigError, match=rf"^{setting} comes from the model .*: {value!r}$"):
        inherited(parent, **{setting: value})


def test_a_size_contradicts_the_parent(parent):
    with pytest.raises(ConfigError, match="comes from the model to begin from"):
        inherited(parent, size="tiny")


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"freeze_layers": 2}, r"freeze_layers must be less than the 2 layers"),
        ({"window_length": 11}, r"window_length must be at most the context of 10 tokens"),
    ],
)
def test_what_the_parent_does_not_allow_is_named(parent, settings, rule):
    with pytest.raises(ConfigError, match=rule):
        inherited(parent, **settings)


def test_ids_of_unseen_tokens_are_those_of_the_tokenizer(exported, tmp_path):
    folder = tmp_path / "1"
    shutil.copytree(exported.path, folder)
    path = folder / "assets.extra" / "textgen.json"
    card = json.loads(path.read_text("utf-8"))
    for unseen in ([0, 2], None):
        card["tokenizer"]["unseen"] = unseen
        path.write_text(json.dumps(card), "utf-8")
        assert find_parent(textgen.Catalog(tmp_path), str(folder))[0].unseen == unseen
    for token in (-1, exported.tokenizer.vocab_size, 1.5, True):
        card["tokenizer"]["unseen"] = [token]
        path.write_text(json.dumps(card), "utf-8")
        with pytest.raises(ModelDamagedError, match="ids of unseen tokens must be integers"):
            find_parent(textgen.Catalog(tmp_path), str(folder))


def test_another_family_is_refused(exported_models):
    parent = find_parent(textgen.Catalog(), str(exported_models["lstm"].path))
    with pytest.raises(ConfigError, match=r"^architecture comes from .* 'transformer'$"):
        inherited(parent, architecture="transformer")


def test_a_parent_is_found_by_name_version_and_path(exported):
    models, name = exported.path.parents[1], exported.path.parent.name
    catalog = textgen.Catalog(models)
    for known in (name, f"{name}/1", str(exported.path)):
        found, _ = find_parent(catalog, known)
        assert found.label == f"{name}/1"
    with pytest.raises(ModelNotFoundError, match="no model 'nobody'"):
        find_parent(catalog, "nobody")


def test_license_and_chat_template_come_from_a_published_parent(exported, tmp_path):
    folder = tmp_path / "mine" / "1"
    shutil.copytree(exported.path, folder)
    (folder / "assets.extra" / "chat_template.jinja").write_text("{{ messages }}", "utf-8")
    card = folder / "assets.extra" / "textgen.json"
    values = json.loads(card.read_text("utf-8"))
    values["published"] = {"source": "hub", "digest": "0", "license": "MIT"}
    card.write_text(json.dumps(values), "utf-8")
    parent, _ = find_parent(textgen.Catalog(tmp_path), "mine")
    assert (parent.license, parent.chat_template) == ("MIT", "{{ messages }}")


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_dim": 2**20, "num_heads": 2},
        {"num_layers": 2**30},
        {"context_length": 2**30},
        {"hidden_dim": -1},
        {"architecture": "mamba"},
    ],
)
def test_a_card_that_promises_too_much_sets_no_memory_aside(exported, tmp_path, changes):
    folder = tmp_path / "mine" / "1"
    (folder / "assets.extra").mkdir(parents=True)
    for path in (exported.path / "assets.extra").glob("*.json"):
        (folder / "assets.extra" / path.name).write_bytes(path.read_bytes())
    (folder / "saved_model.pb").write_bytes(b"")
    card = folder / "assets.extra" / "textgen.json"
    values = json.loads(card.read_text("utf-8"))
    values["model"].update(changes)
    card.write_text(json.dumps(values), "utf-8")
    with pytest.raises(ModelDamagedError):
        find_parent(textgen.Catalog(tmp_path), "mine")

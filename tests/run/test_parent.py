"""A run keeps what it needs of the model that it begins from, and notices any change."""

import json
import os

import numpy as np
import pytest

from textgen.config import ModelConfig
from textgen.errors import CheckpointError, ModelDamagedError
from textgen.run import Parent


@pytest.fixture
def parent(exported):
    config = exported.generator.decoder.config
    texts = {"license": "Apache-2.0", "chat_template": "{{ messages }}"}
    return Parent.read("mine", 1, exported.path, config, exported.tokenizer, **texts)


def test_the_weights_are_those_of_the_decoder(parent, exported):
    weights = parent.weights()
    assert weights.keys() == exported.generator.decoder.weights.keys()
    for name, value in exported.generator.decoder.weights.items():
        np.testing.assert_array_equal(weights[name], value.numpy())


def test_a_kept_parent_outlives_its_model(parent, tmp_path):
    for is_linked in (True, False):
        folder = tmp_path / str(is_linked)
        with pytest.MonkeyPatch.context() as patch:
            if not is_linked:
                patch.setattr(os, "link", lambda *paths: os.stat("/nowhere"))
            parent.keep(folder)
        kept = Parent.from_dict(
            json.loads(json.dumps(parent.to_dict())), parent.config, parent.tokenizer, folder
        )
        assert kept.to_dict() == parent.to_dict()
        for name, value in parent.weights().items():
            np.testing.assert_array_equal(kept.weights()[name], value)


def test_a_changed_parent_is_refused(parent, tmp_path):
    (tmp_path / "variables").mkdir()
    for path in (parent.folder / "variables").iterdir():
        (tmp_path / "variables" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(TypeError):
        Parent.from_dict({**parent.to_dict(), "license": 3}, parent.config, None, tmp_path)
    kept = Parent.from_dict(parent.to_dict(), parent.config, parent.tokenizer, tmp_path)
    assert kept.weights()
    data = next((tmp_path / "variables").glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match=r"^The files of mine/1, .* have changed since"):
        kept.weights()


@pytest.mark.parametrize("damage", ["missing", "cut", "link"])
def test_damaged_weights_are_one_sentence(parent, exported, tmp_path, damage):
    (tmp_path / "variables").mkdir()
    for path in (parent.folder / "variables").iterdir():
        target = tmp_path / "variables" / path.name
        if damage == "link":
            target.symlink_to(path)
        elif damage == "cut":
            target.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ModelDamagedError, match=r"the weights"):
        Parent.read("mine", 1, tmp_path, parent.config, parent.tokenizer).weights()


def test_weights_that_are_damaged_later_are_one_sentence(parent, tmp_path):
    parent.keep(tmp_path)
    kept = Parent.read("mine", 1, tmp_path, parent.config, parent.tokenizer).weights()
    for path in (tmp_path / "variables").glob("*.data-*"):
        content = path.read_bytes()
        path.unlink()  # It is a link to the session's model.
        path.write_bytes(content[:-20])
    with pytest.raises(ModelDamagedError, match=r"the weights"):
        dict(kept)


def test_a_parent_without_a_version_goes_by_its_name(parent):
    alone = Parent("mine", None, "0", ModelConfig(), parent.tokenizer, parent.folder)
    assert (parent.label, alone.label) == ("mine/1", "mine")

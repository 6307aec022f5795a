"""A copy of an exported model that a test may damage."""

import shutil

import pytest


@pytest.fixture
def copy(exported_models, tmp_path):
    """The folder of a SavedModel of its own: NAME/1."""
    path = tmp_path / "mine" / "1"
    shutil.copytree(exported_models["transformer"].path, path)
    return path

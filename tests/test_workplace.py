"""The devices that a run trains on, and how TensorFlow is loaded for them."""

import contextlib

import pytest

from textgen import workplace
from textgen.config import RunConfig

WIDE = {"num_layers": 12, "hidden_dim": 768, "num_heads": 12}


@pytest.mark.parametrize(
    ("settings", "saves"),
    [
        ({"from_model": "parent", "adapter_rank": 8}, True),
        ({"from_model": "parent", **WIDE}, True),
        ({"from_model": "parent"}, False),
        (WIDE, False),
    ],
)
def test_onednn_which_keeps_memory_is_off_if_a_large_model_gets_adapters(
    monkeypatch, settings, saves
):
    given = {}

    @contextlib.contextmanager
    def record(variables):
        given.update(variables)
        yield

    monkeypatch.setattr(workplace, "environment", record)
    with workplace.devices(RunConfig.from_settings(settings)):
        assert given == ({"TF_ENABLE_ONEDNN_OPTS": "0"} if saves else {})

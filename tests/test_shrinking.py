"""A smaller model appears only if it is nearly as good."""

import pytest

import textgen.shrinking
from textgen.catalog import Catalog
from textgen.errors import ConfigError
from textgen.shrinking import Figures, shrink


def test_a_model_that_loses_more_does_not_appear(exported, tmp_path, monkeypatch):
    figures = [Figures(4000, 2.0, 100.0), Figures(1000, 2.031, 100.0)]
    monkeypatch.setattr(textgen.shrinking, "_measure", lambda *_: ("letters.txt", 9, figures))
    with pytest.raises(ConfigError) as caught:
        shrink(exported.path, "int8", ["letters.txt"], tmp_path, name="small")
    assert str(caught.value) == (
        "small may lose 0.02 bits per character at most on letters.txt. "
        "Received: 0.031 more, 2.031 instead of 2.000"
    )
    assert not Catalog(tmp_path).entries()
    settings = {"name": "small", "prune": 0.5, "max_loss": 0.04}
    shrunk = shrink(exported.path, "int8", ["letters.txt"], tmp_path, **settings)
    small = Catalog(tmp_path).find("small")
    assert small.path == shrunk.path == tmp_path / "small" / "1"
    storage = small.card.storage
    assert (small.card.name, storage.precision, storage.pruned) == ("small", "int8", 0.5)
    assert [shrunk.before, shrunk.after] == figures
    assert (storage.bits_per_character, storage.original_bits_per_character) == (2.031, 2.0)
    assert storage.text == "letters.txt"
    assert small.card.own_bits_per_character == 2.031
    original = Catalog().find(str(exported.path)).card
    assert original.own_bits_per_character == original.bits_per_character
    assert small.card.bits_per_character == original.bits_per_character


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"precision": "int4"},
            "precision must be one of int8, bfloat16, float16. Received: 'int4'",
        ),
        ({"precision": None}, "A smaller model needs precision, prune or both. Received: neither"),
        ({"prune": 1}, "prune must be at least 0 and less than 1. Received: 1"),
        ({"max_loss": -1}, "max_loss must be 0 or more. Received: -1"),
        (
            {},
            "texts must name a file to measure the loss on, because {name} has no validation part "
            "in its folder. Received: none",
        ),
        ({"max_loss": float("nan")}, "max_loss must be 0 or more. Received: nan"),
    ],
)
def test_settings_out_of_range_are_refused(exported, tmp_path, settings, message):
    with pytest.raises(ConfigError) as caught:
        shrink(exported.path, models_dir=tmp_path, **{"precision": "int8", **settings})
    assert str(caught.value) == message.format(name=exported.path.parent.name)

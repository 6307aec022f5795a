"""A new family is one folder, here tests/models/trigram: registered, it does all that others do."""

from pathlib import Path

import numpy as np
import pytest

import textgen
from textgen.errors import ConfigError
from textgen.models import build_model, registry
from textgen.serving.checks import prove


@pytest.fixture(scope="module")
def family():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        patch.setattr(registry, "_PROFILES", dict(registry._PROFILES))
        from trigram.profile import TrigramProfile

        registry.register(TrigramProfile())
        yield TrigramProfile()


@pytest.fixture(scope="module")
def trained(family, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trigram")
    (folder / "corpus.txt").write_text("abcabcabd. " * 100, "utf-8")
    config = textgen.RunConfig(
        model=textgen.ModelConfig("trigram", num_layers=1, hidden_dim=16, context_length=8),
        training=textgen.TrainingConfig(max_steps=60, batch_size=8, jit_compile=False),
    )
    return textgen.train([folder / "corpus.txt"], "mine", config, folder / "models")


def test_its_config_is_chosen_by_name_and_kept_as_json(family):
    config = textgen.ModelConfig("trigram", slope=0.5)
    assert isinstance(config, family.config_class)
    assert textgen.ModelConfig.from_dict(config.to_dict()) == config
    with pytest.raises(ConfigError, match="must be one of llama, lstm, transformer, trigram"):
        textgen.ModelConfig("fourgram")
    with pytest.raises(ConfigError, match="slope is for the trigram"):
        textgen.ModelConfig.of_settings("lstm", {"slope": 0.5})


def test_its_steps_and_its_weights_are_those_of_the_model(family):
    config = textgen.ModelConfig("trigram", hidden_dim=16, context_length=8, slope=0.5)
    model = build_model(config, 11)
    tokens = np.random.default_rng(0).integers(0, 11, (2, 8)).astype(np.int32)
    decoder = model.decoder()
    full, (_, state) = model(tokens), decoder.prefill(tokens[:, :3], np.array([3, 3], np.int32))
    for t in range(3, 8):
        hidden, state = decoder.step(tokens[:, t], state, np.array([t, t]))
        np.testing.assert_allclose(decoder.logits(hidden), full[:, t], atol=1e-5)
    fresh = build_model(config, 11, seed=1)
    fresh.load_decoder_weights(model.decoder_weights())
    np.testing.assert_allclose(fresh(tokens), full, atol=1e-5)


def test_it_trains_and_generates(trained):
    with textgen.load(trained.path) as model:
        text = model.generate("abc", temperature=0, max_new_tokens=8).text
        assert text == "abcabcab"
        assert model.card.model.architecture == "trigram"


def test_what_it_exports_passes_every_check(trained):
    results = list(prove(trained.path))
    assert len(results) > 10
    assert not [result for result in results if result.failure]

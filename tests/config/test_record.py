"""Configs are immutable and convert to dictionaries and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.config import (
    BeamSearchConfig,
    ContrastiveSearchConfig,
    CorpusConfig,
    ModelConfig,
    RunConfig,
    SamplingConfig,
    TrainingConfig,
)
from textgen.errors import ConfigError

CONFIGS = (
    BeamSearchConfig,
    ContrastiveSearchConfig,
    CorpusConfig,
    ModelConfig,
    RunConfig,
    SamplingConfig,
    TrainingConfig,
)


def test_a_config_cannot_be_changed():
    with pytest.raises(AttributeError):
        SamplingConfig().top_k = 3


def test_an_unknown_setting_is_named():
    with pytest.raises(ConfigError, match="Unknown settings for SamplingConfig: beam, top_n"):
        SamplingConfig.from_dict({"top_n": 1, "beam": 2, "top_k": 3})


counts = st.integers(1, 10**6)
rates = st.floats(1e-9, 1e9)
corpora = st.builds(
    CorpusConfig,
    encoding=st.sampled_from(["utf-8", "gb18030", "auto"]),
    lowercase=st.booleans(),
    strip_html=st.booleans(),
    strip_punctuation=st.booleans(),
    normalize=st.sampled_from(["none", "nfc", "nfkc"]),
    split_documents=st.sampled_from(["none", "line", "blank-line", "file"]),
    validation_split=st.floats(0, 1, exclude_min=True, exclude_max=True),
)
models = st.builds(
    lambda heads, width, **rest: ModelConfig(num_heads=heads, hidden_dim=heads * width, **rest),
    heads=st.integers(1, 64),
    width=st.integers(1, 64),
    architecture=st.sampled_from(["lstm", "transformer"]),
    num_layers=st.integers(1, 1024),
    context_length=st.integers(2, 10**6),
    dropout=st.floats(0, 1, exclude_max=True),
    intermediate_dim=st.none() | counts,
)
trainings = st.builds(
    TrainingConfig,
    max_steps=counts,
    batch_size=counts,
    learning_rate=st.none() | rates,
    optimizer=st.sampled_from(["auto", "adamw", "muon"]),
    warmup_steps=st.none() | st.integers(0, 10**6),
    weight_decay=st.floats(0, 1e9),
    clip_norm=rates,
    seed=st.integers(0, 2**31 - 1),
    validate_every=st.none() | counts,
    patience=st.none() | counts,
    mixed_precision=st.sampled_from([None, True, False]),
    strategy=st.sampled_from(["auto", "none", "mirrored", "multi-worker"]),
    jit_compile=st.sampled_from([None, True, False]),
)
texts = st.lists(st.text(st.characters(codec="utf-8"), min_size=1))
samplings = st.builds(
    SamplingConfig,
    max_new_tokens=st.integers(1, 2**31 - 1),
    temperature=st.floats(0, allow_infinity=False),
    top_k=st.integers(0, 2**31 - 1),
    top_p=st.floats(0, 1, exclude_min=True),
    seed=st.none() | st.integers(0, 2**63 - 1),
    stop=texts,
)
beam_searches = st.builds(
    BeamSearchConfig,
    num_beams=st.integers(1, 64),
    length_penalty=st.floats(-5, 5),
    stop=texts,
    banned=texts,
)
contrastive_searches = st.builds(
    ContrastiveSearchConfig,
    penalty_alpha=st.floats(0, 1),
    top_k=st.integers(1, 64),
    stop=texts,
    banned=texts,
)
writings = st.one_of(samplings, beam_searches, contrastive_searches)
runs = st.builds(RunConfig, corpus=corpora, model=models, training=trainings, min_count=counts)


@given(config=st.one_of(corpora, models, trainings, writings, runs))
def test_to_dict_and_back_through_json(config):
    values = json.loads(json.dumps(config.to_dict()))
    assert type(config).from_dict(values) == config


def test_an_empty_dictionary_is_all_defaults():
    for config in CONFIGS:
        assert config.from_dict({}) == config()

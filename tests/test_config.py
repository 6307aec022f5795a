"""Settings check themselves, wherever they come from."""

import json
import math

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

NAN, INF, HUGE = math.nan, math.inf, 10**400

# Class, field, rule, values outside it.
RULES = [
    (CorpusConfig, "normalize", "must be one of none, nfc, nfkc", ["NFC", "nfd", None, 1]),
    (
        CorpusConfig,
        "split_documents",
        "must be one of none, line, blank-line, file",
        ["lines", "", None],
    ),
    (CorpusConfig, "text_column", "must be a name", [1, b"text", ("text",)]),
    (CorpusConfig, "validation_split", "must be in (0, 1)", [0, 1, -0.1, 1.5, NAN, INF, "0.1"]),
    (ModelConfig, "architecture", "must be one of lstm, transformer", ["gru", "LSTM", None]),
    *(
        (ModelConfig, name, "must be a whole number from 1 up", [0, -1, 2.0, "4", None, True])
        for name in ("num_layers", "num_heads", "hidden_dim", "context_length")
    ),
    (ModelConfig, "context_length", "must be at least 2", [1]),
    (ModelConfig, "intermediate_dim", "must be a whole number from 1 up", [0, 2.5, "a"]),
    (ModelConfig, "dropout", "must be in [0, 1)", [1, 1.0, -0.1, NAN, INF, HUGE, "0.1", None]),
    *(
        (TrainingConfig, name, "must be a whole number from 1 up", [0, -5, 1.5, "10", True])
        for name in ("max_steps", "batch_size", "validate_every", "patience")
    ),
    *(
        (TrainingConfig, name, "must be greater than 0", [0, -1e-3, NAN, INF, HUGE, "1"])
        for name in ("learning_rate", "clip_norm")
    ),
    (TrainingConfig, "weight_decay", "must be at least 0", [-0.1, NAN, INF, HUGE, None]),
    (TrainingConfig, "warmup_steps", "must be a whole number from 0 up", [-1, 0.5, "1"]),
    (TrainingConfig, "optimizer", "must be one of auto, adamw, muon", ["adam", None]),
    (
        TrainingConfig,
        "strategy",
        "must be one of auto, none, mirrored, multi-worker",
        ["tpu", None],
    ),
    (TrainingConfig, "seed", "must be a whole number in [0, 2147483648)", [-1, 2**31, 0.5, None]),
    (SamplingConfig, "max_new_tokens", "must be a whole number from 1 up", [0, -1, 1.5, None]),
    (SamplingConfig, "max_new_tokens", "must be less than 2147483648", [2**31, HUGE]),
    (SamplingConfig, "temperature", "must be at least 0", [-0.1, NAN, INF, HUGE, "1", None]),
    (
        SamplingConfig,
        "top_k",
        "must be a whole number from 0 up",
        [-1, 2.5, "5", None],
    ),
    (SamplingConfig, "top_k", "must be less than 2147483648", [2**31, HUGE]),
    *(
        (SamplingConfig, name, "must be in [0, 1]", [-0.1, 1.01, NAN, "1", None])
        for name in ("min_p", "xtc_probability", "xtc_threshold")
    ),
    (SamplingConfig, "typical_p", "must be in (0, 1]", [0, 1.7]),
    (SamplingConfig, "repetition_penalty", "must be greater than 0", [0, -1, NAN, INF]),
    (SamplingConfig, "presence_penalty", "must be a number", [NAN, INF, "1", None]),
    (SamplingConfig, "frequency_penalty", "must be a number", [-INF, HUGE]),
    (SamplingConfig, "repeat_last_n", "must be a whole number from -1 up", [-2, 0.5, None]),
    (SamplingConfig, "dry_base", "must be at least 1", [0.9, NAN]),
    (SamplingConfig, "max_time", "must be greater than 0", [0, -1, NAN, INF]),
    (SamplingConfig, "logprobs", "must be a whole number from 0 up", [-1, 0.5, "1"]),
    (SamplingConfig, "min_new_tokens", "must be at most max_new_tokens", [201]),
    (SamplingConfig, "banned", "must be a list of strings", ["abc", None]),
    (
        SamplingConfig,
        "logit_bias",
        "must pair non-empty strings with numbers",
        ["ab", 3, {"a": NAN}, {"": 1}, {"a": "1"}, {"\ud800": 1}],
    ),
    (SamplingConfig, "top_p", "must be in (0, 1]", [0, 1.7, -0.5, NAN, INF, HUGE, "1", None]),
    (SamplingConfig, "seed", "must be a whole number in [0, 2**63)", [-1, 2**63, 1.5, "1"]),
    (SamplingConfig, "stop", "must hold non-empty strings", [[""], ["a", 1], [b"a"]]),
    (SamplingConfig, "stop", "must be a list of strings", ["abc", None, 3]),
    (SamplingConfig, "stop", "must be Unicode text without lone surrogates", [["a", "\ud800"]]),
    (BeamSearchConfig, "num_beams", "must be a whole number in [1, 64]", [0, 65, 2.0, None, True]),
    (
        BeamSearchConfig,
        "length_penalty",
        "must be in [-5, 5]",
        [-5.1, 6, NAN, INF, HUGE, "1", None],
    ),
    (ContrastiveSearchConfig, "top_k", "must be a whole number in [1, 64]", [0, 65, 2.0, None]),
    (ContrastiveSearchConfig, "penalty_alpha", "must be in [0, 1]", [-0.1, 1.1, NAN, "1", None]),
    *(
        (config, name, rule, values)
        for config in (BeamSearchConfig, ContrastiveSearchConfig)
        for name, rule, values in [
            ("max_new_tokens", "must be a whole number from 1 up", [0, -1, 1.5, None]),
            ("stop", "must hold non-empty strings", [[""], ["a", 1]]),
            ("banned", "must be a list of strings", ["abc", None]),
        ]
    ),
    (RunConfig, "min_count", "must be a whole number from 1 up", [0, -1, 1.5, None, True]),
]


@pytest.mark.parametrize(
    ("config", "name", "rule", "value"),
    [
        pytest.param(config, name, rule, value, id=f"{name}-{str(value)[:8]!a}")
        for config, name, rule, values in RULES
        for value in values
    ],
)
def test_a_value_outside_its_range_is_refused(config, name, rule, value):
    for build in (config, lambda **values: config.from_dict(values)):
        with pytest.raises(ConfigError) as caught:
            build(**{name: value})
        shown = tuple(value) if isinstance(value, list) else value
        assert str(caught.value) == f"{name} {rule}. Received: {shown!r}"
        assert isinstance(caught.value, ValueError)


def test_the_message_is_the_rule_and_what_was_received():
    with pytest.raises(ConfigError) as caught:
        SamplingConfig(top_p=1.7)
    assert str(caught.value) == "top_p must be in (0, 1]. Received: 1.7"


BOUNDARIES = [
    (CorpusConfig, {"validation_split": 1e-9}),
    (ModelConfig, {"architecture": "lstm", "hidden_dim": 7, "context_length": 2, "dropout": 0}),
    (ModelConfig, {"num_heads": 3, "hidden_dim": 9, "num_layers": 1, "intermediate_dim": 1}),
    (TrainingConfig, {"max_steps": 1, "batch_size": 1, "warmup_steps": 0, "weight_decay": 0}),
    (TrainingConfig, {"seed": 2**31 - 1, "validate_every": 1, "patience": 1}),
    (SamplingConfig, {"temperature": 0, "top_k": 0, "top_p": 1, "seed": 0, "max_new_tokens": 1}),
    (SamplingConfig, {"top_k": 2**31 - 1, "top_p": 1e-9, "seed": 2**63 - 1, "stop": ["字", "😀"]}),
    (BeamSearchConfig, {"num_beams": 1, "length_penalty": -5, "max_new_tokens": 1}),
    (BeamSearchConfig, {"num_beams": 64, "length_penalty": 5, "stop": ["字", "😀"]}),
    (ContrastiveSearchConfig, {"top_k": 1, "penalty_alpha": 0, "banned": ["字"]}),
    (ContrastiveSearchConfig, {"top_k": 64, "penalty_alpha": 1}),
    (RunConfig, {"min_count": 1}),
]


@pytest.mark.parametrize(("config", "values"), BOUNDARIES)
def test_the_ends_of_a_range_belong_to_it(config, values):
    built = config(**values)
    for name, value in values.items():
        assert getattr(built, name) == (tuple(value) if isinstance(value, list) else value)


def test_heads_must_share_the_width():
    with pytest.raises(ConfigError, match=r"multiple of num_heads.*hidden_dim=10, num_heads=4"):
        ModelConfig("transformer", hidden_dim=10, num_heads=4)
    assert ModelConfig("lstm", hidden_dim=10, num_heads=4).hidden_dim == 10


def test_a_config_cannot_be_changed():
    with pytest.raises(AttributeError):
        SamplingConfig().top_k = 3


@pytest.mark.parametrize("architecture", ["transformer", "lstm"])
@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_a_size_can_be_overridden(architecture, size):
    plain = ModelConfig.of_size(architecture, size)
    assert plain.architecture == architecture
    changed = ModelConfig.of_size(architecture, size, num_layers=1, dropout=None)
    assert (changed.num_layers, changed.dropout) == (1, plain.dropout)
    assert changed.hidden_dim == plain.hidden_dim


def test_unknown_sizes_and_architectures_are_refused():
    with pytest.raises(ConfigError, match=r"size must be one of tiny, small, base\. .*'huge'"):
        ModelConfig.of_size("lstm", "huge")
    with pytest.raises(ConfigError, match="architecture must be lstm or transformer"):
        ModelConfig.of_size("gru", "tiny")


def test_an_unknown_setting_is_named():
    with pytest.raises(ConfigError, match="Unknown settings for SamplingConfig: beam, top_n"):
        SamplingConfig.from_dict({"top_n": 1, "beam": 2, "top_k": 3})
    with pytest.raises(ConfigError, match="Unknown settings for ModelConfig: width"):
        RunConfig.from_dict({"model": {"width": 3}})


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
    num_layers=counts,
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
    mixed_precision=st.booleans(),
    strategy=st.sampled_from(["auto", "none", "mirrored", "multi-worker"]),
    jit_compile=st.sampled_from([None, True, False]),
)
samplings = st.builds(
    SamplingConfig,
    max_new_tokens=st.integers(1, 2**31 - 1),
    temperature=st.floats(0, allow_infinity=False),
    top_k=st.integers(0, 2**31 - 1),
    top_p=st.floats(0, 1, exclude_min=True),
    seed=st.none() | st.integers(0, 2**63 - 1),
    stop=st.lists(st.text(st.characters(codec="utf-8"), min_size=1)),
)
runs = st.builds(RunConfig, corpus=corpora, model=models, training=trainings, min_count=counts)


@given(config=st.one_of(corpora, models, trainings, samplings, runs))
def test_to_dict_and_back_through_json(config):
    values = json.loads(json.dumps(config.to_dict()))
    assert type(config).from_dict(values) == config


def test_an_empty_dictionary_is_all_defaults():
    for config in (CorpusConfig, ModelConfig, TrainingConfig, SamplingConfig, RunConfig):
        assert config.from_dict({}) == config()

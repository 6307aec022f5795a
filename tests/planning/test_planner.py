"""A plan fits its time and its corpus, and keeps what it was told to keep."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.config import ModelConfig, RunConfig, TrainingConfig
from textgen.errors import ConfigError
from textgen.planning import CorpusSize, Machine, make_plan

CPU = Machine("2 CPU cores", 240e9)
NARROW = dataclasses.replace(CPU, bfloat16_flops=480e9)
NOVEL = CorpusSize(1_003_854, 111_540, 345_842, 43_427, 2048, 2.35)
FABLES = CorpusSize(30_600, 3_400, 30_600, 3_400, 70, 2.53)
LIBRARY = CorpusSize(9 * 10**8, 10**8, 3 * 10**8, 2**18, 16384, 2.0)

machines = st.builds(
    Machine,
    description=st.just("a machine"),
    flops=st.floats(1e9, 1e15),
    is_gpu=st.booleans(),
    num_devices=st.integers(1, 8),
    bfloat16_flops=st.none() | st.floats(1e9, 1e15),
)
corpora = st.builds(
    CorpusSize,
    train_characters=st.integers(1, 10**12),
    validation_characters=st.integers(1, 10**11),
    train_tokens=st.integers(1, 10**12),
    validation_tokens=st.integers(1, 2**18),
    vocab_size=st.integers(4, 50_000),
    compressed_bits=st.floats(0.1, 20),
)
seconds = st.floats(1, 10**6)
architectures = st.sampled_from(["transformer", "llama", "lstm"])


def plan(corpus, seconds, *, machine=CPU, architecture="transformer", **kept):
    """Plan a run in which `kept` settings are fixed."""
    config = RunConfig(
        model=ModelConfig(
            architecture=architecture,
            **{k: v for k, v in kept.items() if k in ModelConfig("transformer").to_dict()},
        ),
        training=TrainingConfig(**{k: v for k, v in kept.items() if hasattr(TrainingConfig, k)}),
    )
    return make_plan(config, kept, corpus, machine, seconds)


@given(corpora, seconds, machines, architectures)
def test_every_plan_is_a_valid_config_that_its_devices_can_share(corpus, seconds, machine, kind):
    config = plan(corpus, seconds, machine=machine, architecture=kind).config
    assert RunConfig.from_dict(config.to_dict()) == config
    assert config.training.batch_size % machine.num_devices == 0
    assert config.model.architecture == kind


@given(corpora, seconds, machines, architectures)
def test_a_plan_takes_no_longer_than_it_may_but_for_the_fewest_steps(
    corpus, seconds, machine, kind
):
    made = plan(corpus, seconds, machine=machine, architecture=kind)
    assert made.seconds <= seconds or made.steps == 20
    assert made.closing_seconds < made.seconds


@given(corpora, seconds, st.floats(1, 100), machines, architectures)
def test_more_time_never_plans_less_computation(corpus, seconds, factor, machine, kind):
    def computation(made):
        model = made.config.model
        return made.tokens * model.num_layers * model.hidden_dim**2

    less = plan(corpus, seconds, machine=machine, architecture=kind)
    more = plan(corpus, seconds * factor, machine=machine, architecture=kind)
    # Steps are whole: a batch may be missing.
    slack = 1 + 1 / less.steps + 1 / more.steps
    assert computation(more) * slack >= computation(less)


def of_a_piece(kept):
    """Make what is fixed together fit together; what is fixed alone may be any number."""
    if {"num_heads", "hidden_dim"} <= kept.keys():
        kept["hidden_dim"] *= kept["num_heads"]
    if {"accumulate", "batch_size"} <= kept.keys():
        kept["batch_size"] *= kept["accumulate"]
    return kept


@given(
    corpora,
    seconds,
    machines,
    architectures,
    st.fixed_dictionaries(
        {},
        optional={
            "num_layers": st.integers(1, 30),
            "hidden_dim": st.integers(1, 256),
            "num_heads": st.integers(1, 32),
            "context_length": st.integers(2, 4096),
            "dropout": st.floats(0, 0.9),
            "max_steps": st.integers(1, 10**7),
            "batch_size": st.integers(1, 4096),
            "accumulate": st.integers(1, 64),
            "validate_every": st.integers(1, 10**6),
            "learning_rate": st.floats(1e-6, 1),
        },
    ).map(of_a_piece),
)
def test_what_is_fixed_is_kept(corpus, seconds, machine, kind, kept):
    config = plan(corpus, seconds, machine=machine, architecture=kind, **kept).config
    settings = config.model.to_dict() | config.training.to_dict()
    assert {name: settings[name] for name in kept} == kept
    parts = machine.num_devices * kept.get("accumulate", 1)
    assert "batch_size" in kept or settings["batch_size"] % parts == 0


@pytest.mark.parametrize(
    ("machine", "kept", "is_narrow"),
    [
        (NARROW, {"hidden_dim": 384}, True),
        (NARROW, {"hidden_dim": 64}, False),  # Too small to gain.
        (CPU, {"hidden_dim": 384}, False),
        (NARROW, {"hidden_dim": 384, "jit_compile": True}, False),
        (NARROW, {"hidden_dim": 384, "mixed_precision": False}, False),
        (NARROW, {"hidden_dim": 384, "architecture": "lstm"}, False),
    ],
)
def test_a_cpu_with_bfloat16_units_computes_in_it_where_a_step_gains(machine, kept, is_narrow):
    training = plan(NOVEL, 600, machine=machine, **kept).config.training
    assert (training.mixed_precision is True, training.jit_compile is False) == (is_narrow,) * 2


@given(corpora, seconds)
def test_what_no_plan_is_about_stays_as_it_is(corpus, seconds):
    config = RunConfig(training=TrainingConfig(seed=7, learning_rate=0.1, patience=3), min_count=2)
    training = make_plan(config, (), corpus, CPU, seconds).config.training
    planned = {"max_steps": 1, "batch_size": 1, "validate_every": 1}
    planned |= {"schedule": "wsd", "warmup_steps": 1, "accumulate": 1, "validation_tokens": 1}
    assert dataclasses.replace(training, **planned) == dataclasses.replace(
        config.training, **planned
    )


@given(corpora, seconds, machines)
def test_no_plan_reads_a_corpus_until_it_is_known_by_heart(corpus, seconds, machine):
    made = plan(corpus, seconds, machine=machine)
    most = 20 * max(1, (350_000 / corpus.train_tokens) ** 0.25)
    assert made.epochs <= most * 1.001 or made.steps == 20


def test_an_lstm_gets_more_dropout_where_there_is_little_to_read():
    dropouts = [plan(c, 3600, architecture="lstm").config.model.dropout for c in (NOVEL, FABLES)]
    assert dropouts == [pytest.approx(0.2, rel=0.02), 0.5]


@pytest.mark.parametrize("corpus", [NOVEL, FABLES], ids=["novel", "fables"])
def test_a_small_corpus_ends_early_with_dropout_where_there_is_time(corpus):
    made = plan(corpus, 3600)
    assert made.seconds < 1800
    assert made.config.model.dropout == 0.2


def test_a_corpus_that_is_hardly_read_once_needs_no_dropout():
    assert plan(LIBRARY, 300).config.model.dropout == 0


def test_beside_busy_programs_fewer_steps_of_a_smaller_model_are_promised():
    idle, busy = (
        plan(NOVEL, 120, machine=dataclasses.replace(CPU, contention=times)) for times in (1, 3)
    )
    assert busy.config.model.hidden_dim < idle.config.model.hidden_dim
    assert busy.step_seconds * busy.steps < idle.step_seconds * idle.steps
    assert busy.seconds <= 120


def test_a_text_to_be_memorized_is_seen_in_windows_longer_than_its_lines():
    verse = CorpusSize(131, 0, 131, 0, 24, 4.0)
    assert plan(verse, 60).config.model.context_length == 64


def test_more_time_gives_a_larger_model():
    widths = [plan(LIBRARY, 60 * 4**power).config.model.hidden_dim for power in range(6)]
    assert widths == sorted(widths)
    assert widths[0] < widths[2] < widths[-1]


def test_a_longer_plan_expects_a_better_model():
    bits = [plan(LIBRARY, 60 * 4**power).bits_per_character for power in range(4)]
    assert bits == sorted(bits, reverse=True)


def test_heads_that_divide_a_measured_width_keep_it():
    widths = {plan(LIBRARY, 60 * 4**power, num_heads=3).config.model.hidden_dim for power in (1, 4)}
    assert widths <= {96, 144, 192, 288, 384, 528, 768}
    assert plan(NOVEL, 600, num_heads=3).config.model.hidden_dim == 192


def test_settings_that_exceed_the_memory_are_refused():
    machine = dataclasses.replace(CPU, memory_bytes=16 * 10**9)
    with pytest.raises(ConfigError, match=r"memory of 16\.0 GB\. Received: batch_size=2000000000"):
        plan(NOVEL, 300, machine=machine, batch_size=2_000_000_000)
    with pytest.raises(ConfigError, match="memory"):
        plan(NOVEL, 300, machine=machine, hidden_dim=2**20)
    assert plan(NOVEL, 300, machine=machine) == dataclasses.replace(
        plan(NOVEL, 300), machine=machine
    )


def test_more_parts_let_a_larger_batch_fit_into_memory():
    gpu = Machine("a GPU", 1e15, is_gpu=True)
    long = {"context_length": 4096, "num_layers": 12}
    one, many = (
        plan(LIBRARY, 10**5, machine=gpu, accumulate=parts, **long).config for parts in (1, 16)
    )
    assert many.training.batch_size > one.training.batch_size


def test_windows_fit_into_a_corpus_of_a_few_words():
    words = CorpusSize(54, 6, 54, 6, 30, 6.0)
    assert plan(words, 300).config.model.context_length < 54


def test_fixed_steps_are_kept_although_they_take_longer():
    made = plan(NOVEL, 300, max_steps=10**6)
    assert made.seconds > 300
    assert made.steps == 10**6


def test_steps_can_be_counted_whatever_the_time():
    for tokens in (10**12, 10**15):
        corpus = CorpusSize(tokens, 1, tokens, 1, 4, 1.0)
        made = plan(corpus, 1e9, machine=Machine("a machine", 1e15, num_devices=8), hidden_dim=8)
        assert made.steps < 2**31


def test_without_any_time_there_are_a_few_steps():
    assert plan(NOVEL, 1e-3).steps == 20


@pytest.mark.parametrize(
    ("corpus", "steps", "measured"), [(NOVEL, 600, 2.20), (NOVEL, 1500, 2.07), (FABLES, 1020, 2.06)]
)
def test_the_expected_loss_is_about_what_was_measured(corpus, steps, measured):
    made = plan(corpus, 200, max_steps=steps, batch_size=16, context_length=64)
    assert made.bits_per_character == pytest.approx(measured, rel=0.07)


def test_nothing_worse_than_a_guess_is_expected():
    few = CorpusSize(30, 3, 30, 3, 16, compressed_bits=20.0)
    assert plan(few, 200).bits_per_character == 4


SMOLLM2 = ModelConfig(
    "llama",
    num_layers=30,
    hidden_dim=576,
    num_heads=9,
    num_key_value_heads=3,
    intermediate_dim=1536,
    context_length=8192,
)


def plan_trained(machine, seconds=300.0, **training):
    config = RunConfig(model=SMOLLM2, training=TrainingConfig(**training), from_model="smollm2")
    corpus = CorpusSize(31_000, 3_400, 7_700, 850, 49_152, 2.53)
    return make_plan(config, frozenset(training), corpus, machine, seconds)


def test_a_large_trained_model_gets_adapters_and_short_windows_on_a_cpu():
    small = dataclasses.replace(CPU, memory_bytes=24 * 10**9)
    planned = plan_trained(small).config
    assert planned.training.adapter_rank == 8
    assert planned.training.window_length <= 256
    assert planned.model == dataclasses.replace(SMOLLM2, dropout=0.0)
    assert plan_trained(small, adapter_rank=0).config.training.adapter_rank == 0
    gpu = Machine("a GPU", 1e14, is_gpu=True)
    assert plan_trained(gpu).config.training.adapter_rank is None


def test_a_large_trained_model_fits_its_time_and_its_memory():
    for gigabytes, seconds in ((24, 300), (6, 300), (24, 150)):
        machine = dataclasses.replace(CPU, memory_bytes=gigabytes * 10**9)
        made = plan_trained(machine, seconds, adapter_rank=8)
        assert made.seconds <= seconds
        # To load, to compile, to validate and to export takes most of it.
        assert made.steps * made.step_seconds < 0.7 * seconds
    small = plan_trained(dataclasses.replace(CPU, memory_bytes=5 * 10**9), adapter_rank=8)
    assert small.config.training.accumulate > 1
    with pytest.raises(ConfigError, match="memory"):
        plan_trained(dataclasses.replace(CPU, memory_bytes=2 * 10**9))


def test_a_part_of_a_batch_is_as_large_as_memory_allows():
    def parts(gigabytes, **kept):
        machine = dataclasses.replace(CPU, memory_bytes=gigabytes * 10**9)
        return plan_trained(machine, **kept).config.training.accumulate

    assert parts(8, adapter_rank=8) >= parts(16, adapter_rank=8) >= parts(400, adapter_rank=8) == 1
    assert parts(8, adapter_rank=8, accumulate=1) == 1


def test_a_validation_takes_a_small_part_of_the_time():
    slow = dataclasses.replace(CPU, flops=20e9)
    large = {"num_layers": 12, "hidden_dim": 768, "num_heads": 12}
    for seconds in (300, 3000):
        training = plan(NOVEL, seconds, machine=slow, **large).config.training
        assert 2**11 <= training.validation_tokens < NOVEL.validation_tokens
    assert plan(NOVEL, 300).config.training.validation_tokens == 2**18
    given = plan(NOVEL, 300, machine=slow, **large, validation_tokens=9).config.training
    assert given.validation_tokens == 9

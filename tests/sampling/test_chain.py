"""The chain runs all filters in their order, and no row minds its neighbours."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from textgen.sampling import draw, mirostat, uniform
from textgen.sampling.dry import penalize_dry
from textgen.sampling.filters import (
    divisor_of,
    exclude_top_choices,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    keep_typical_p,
    scale_temperature,
)
from textgen.sampling.history import count_tokens, newest
from textgen.sampling.penalties import (
    ban_repeated_ngrams,
    penalize_frequency,
    penalize_presence,
    penalize_repetition,
)

V, R = 24, 16
BREAKERS = np.arange(V) < 2
NAN = math.nan

sensible = {
    "temperature": st.sampled_from([0.0, 0.5, 0.8, 1.0, 1.7]),
    "top_k": st.sampled_from([0, 1, 3, 10, 99]),
    "top_p": st.sampled_from([1.0, 0.9, 0.5, 0.1]),
    "min_p": st.sampled_from([0.0, 0.05, 0.5]),
    "typical_p": st.sampled_from([1.0, 0.9, 0.4]),
    "repetition_penalty": st.sampled_from([1.0, 1.3, 0.8]),
    "presence_penalty": st.sampled_from([0.0, 0.7, -0.4]),
    "frequency_penalty": st.sampled_from([0.0, 0.3, -0.2]),
    "repeat_last_n": st.sampled_from([-1, 0, 5, 12, 99]),
    "no_repeat_ngram_size": st.sampled_from([0, 1, 2, 3]),
    "dry_multiplier": st.sampled_from([0.0, 0.8]),
    "dry_base": st.sampled_from([1.0, 1.75]),
    "dry_allowed_length": st.sampled_from([0, 1, 2]),
    "xtc_probability": st.sampled_from([0.0, 0.5, 1.0]),
    "xtc_threshold": st.sampled_from([0.0, 0.1, 0.3, 0.6]),
    "mirostat_tau": st.sampled_from([0.0, 0.0, 2.0, 4.0]),
    "mirostat_eta": st.sampled_from([0.1, 1.0]),
}
nonsense = dict.fromkeys(sensible, st.sampled_from([NAN, -1.0, math.inf, -math.inf])) | {
    name: st.sampled_from([-(2**31), -1, 2**31 - 1])
    for name in ("top_k", "repeat_last_n", "no_repeat_ngram_size", "dry_allowed_length")
}
rows = st.fixed_dictionaries({}, optional=sensible)
any_rows = st.fixed_dictionaries(
    {}, optional={name: st.one_of(sensible[name], nonsense[name]) for name in sensible}
)


def batch(seed, size):
    """Everything but the controls, of which every row has its own."""
    generator = np.random.default_rng(seed)
    history = generator.integers(0, 5, (size, R)).astype(np.int32)
    history[np.arange(R) < generator.integers(0, R, (size, 1))] = -1
    bias = generator.normal(0, 1, (size, V)).astype(np.float32)
    bias[generator.random(bias.shape) < 0.2] = -np.inf
    bias[:, 7] = 0
    return {
        "logits": generator.normal(0, 2, (size, V)).astype(np.float32),
        "number": (generator.integers(0, 2**23, size) * 2.0**-23).astype(np.float32),
        "xtc_number": generator.random(size).astype(np.float32),
        "history": history,
        "mu": generator.uniform(1, 6, size).astype(np.float32),
        "bias": bias,
    }


def one_after_the_other(controls, inputs):
    """What the chain's documentation says, filter by filter, for a batch of one row."""
    x, c = tf.constant(inputs["logits"]), controls
    history = newest(tf.constant(inputs["history"]), c.repeat_last_n)
    counts = count_tokens(history, V)
    x = penalize_repetition(x, counts, c.repetition_penalty)
    x = penalize_presence(x, counts, c.presence_penalty)
    x = penalize_frequency(x, counts, c.frequency_penalty)
    x = penalize_dry(
        x, history, c.dry_multiplier, c.dry_base, c.dry_allowed_length, tf.constant(BREAKERS)
    )
    x = ban_repeated_ngrams(x, history, c.no_repeat_ngram_size)
    x = x + inputs["bias"]
    is_greedy = c.temperature[0] == 0
    if not np.isfinite(x).any():
        return -1, inputs["mu"][0]
    if is_greedy and c.mirostat_tau[0] == 0:
        return int(tf.argmax(x, axis=1)[0]), inputs["mu"][0]
    x = scale_temperature(x, divisor_of(c.temperature))
    if c.mirostat_tau[0] > 0:
        x = mirostat.truncate(x, tf.constant(inputs["mu"]))
    else:
        x = keep_top_k(x, c.top_k)
        x = keep_top_p(x, c.top_p)
        x = keep_min_p(x, c.min_p)
        x = keep_typical_p(x, c.typical_p)
        probability = tf.where(c.xtc_threshold <= 0.5, c.xtc_probability, 0)
        x = exclude_top_choices(x, probability, c.xtc_threshold, tf.constant(inputs["xtc_number"]))
    token = draw(tf.nn.softmax(x), tf.constant(inputs["number"]) * (not is_greedy))
    surprise = mirostat.surprise_of(x, token)
    mu = mirostat.update(tf.constant(inputs["mu"]), c.mirostat_tau, c.mirostat_eta, surprise)
    return int(token[0]), float(mu[0])


@settings(max_examples=60)
@given(rows, st.integers(0, 2**32 - 1))
def test_the_chain_is_its_filters_one_after_the_other(choose, make_controls, row, seed):
    controls, inputs = make_controls(row), batch(seed, 1)
    token, mu = choose(controls=controls, breakers=BREAKERS, **inputs)
    expected_token, expected_mu = one_after_the_other(controls, inputs)
    assert token.numpy().tolist() == [expected_token]
    np.testing.assert_allclose(mu, [expected_mu], rtol=1e-5)


@given(st.lists(any_rows, min_size=2, max_size=5), st.integers(0, 2**32 - 1))
def test_a_row_is_the_same_alone_and_in_any_batch(choose, make_controls, rows, seed):
    inputs = batch(seed, len(rows))
    inputs["logits"][0, V - 1] = NAN  # a broken row, too
    tokens, mu = choose(controls=make_controls(*rows), breakers=BREAKERS, **inputs)
    for i, row in enumerate(rows):
        alone = {name: value[i : i + 1] for name, value in inputs.items()}
        token, alone_mu = choose(controls=make_controls(row), breakers=BREAKERS, **alone)
        assert token.numpy().tolist() == [tokens[i]]
        np.testing.assert_array_equal(alone_mu, mu[i : i + 1])
    assert tokens[0] == -1
    # A penalty may outweigh the rest of the logits, but no token is ever made up.
    assert all(token == -1 or inputs["bias"][i, token] > -np.inf for i, token in enumerate(tokens))


PLAIN = ({"temperature": 0.8}, {"temperature": 0.0}, {"temperature": NAN}, {})
SLOW = {"top_k": 5, "repetition_penalty": 1.2, "mirostat_tau": 0.0}


@pytest.mark.parametrize("seed", range(10))
def test_the_short_way_and_the_long_way_give_the_same(choose, make_controls, seed):
    inputs = batch(seed, 5)
    short, _ = choose(
        **{name: value[:4] for name, value in inputs.items()}, controls=make_controls(*PLAIN)
    )
    long, _ = choose(**inputs, controls=make_controls(*PLAIN, SLOW))
    assert short.numpy().tolist() == long[:4].numpy().tolist()


def test_greedy_rows_take_the_first_of_the_likeliest(choose, make_controls):
    logits = [[1.0, 3.0, 3.0, 3.0, 2.0]] * 3
    xtc = {"temperature": 0.0, "xtc_probability": 1.0, "xtc_threshold": 0.1}
    controls = make_controls({"temperature": 0.0}, xtc, xtc | {"mirostat_tau": 1.0})
    tokens, _ = choose(logits, controls, 0.99, mu=[0, 0, 1])
    assert tokens.numpy().tolist() == [1, 1, 1]
    tokens, _ = choose(logits[:1], make_controls({"temperature": 0.0}), 0.99)
    assert tokens.numpy().tolist() == [1]


@pytest.mark.parametrize("row", [{}, {"top_p": 0.9, "typical_p": 0.9}, {"mirostat_tau": 3.0}])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_row_without_a_token_says_so_and_disturbs_no_other(
    choose, make_controls, row, temperature
):
    minus, nan, inf = -math.inf, math.nan, math.inf
    logits = [
        [0.0, 9.0],
        [minus, minus],
        [nan, 1.0],
        [1.0, nan],
        [nan, nan],
        [inf, 0.0],
        [9.0, 0.0],
    ]
    controls = make_controls(*[row | {"temperature": temperature}] * 7)
    tokens, mu = choose(logits, controls, 0.5, mu=np.full(7, 6.0))
    assert tokens.numpy().tolist() == [1, -1, -1, -1, -1, -1, 0]
    assert mu[1:6].numpy().tolist() == [6] * 5


def test_a_banned_token_is_never_chosen(choose, make_controls):
    bias = [[0.0, -math.inf, 0.0, 5.0]]
    controls = make_controls({"temperature": 0.0})
    assert choose([[0.0, 99.0, 1.0, 0.0]], controls, 0.0, bias=bias)[0].numpy().tolist() == [3]
    numbers = np.arange(1000) / 1000
    tokens, _ = choose(np.zeros([1000, 4]), make_controls(*[{}] * 1000), numbers, bias=bias)
    assert set(tokens.numpy().tolist()) == {0, 2, 3}


@pytest.mark.parametrize("row", [{}, {"top_k": 2, "repetition_penalty": 2.0}])
def test_an_empty_batch_works(choose, make_controls, row):
    controls = type(make_controls())(*(column[:0] for column in make_controls(row)))
    tokens, mu = choose(np.zeros([0, 5]), controls, 0.5)
    assert tokens.shape == mu.shape == (0,)


def test_hugging_face_leaves_the_distribution_the_chain_draws_from(choose, make_controls):
    torch = pytest.importorskip("torch")
    t = pytest.importorskip("transformers")
    generator = np.random.default_rng(3)
    count = 20_000
    logits = generator.normal(0, 1.5, (1, V)).astype(np.float32)
    history = generator.integers(0, V, (1, R)).astype(np.int32)
    process = t.LogitsProcessorList(
        [
            t.RepetitionPenaltyLogitsProcessor(1.3),
            t.NoRepeatNGramLogitsProcessor(2),
            t.SequenceBiasLogitsProcessor([[[5], 1.5], [[9], -2.0]]),
            t.NoBadWordsLogitsProcessor([[int(logits.argmax())]], eos_token_id=0),
            t.TemperatureLogitsWarper(0.7),
            t.TopKLogitsWarper(14),
            t.TopPLogitsWarper(0.95),
            t.MinPLogitsWarper(0.02),
            t.TypicalLogitsWarper(0.9),
        ]
    )
    scores = process(torch.tensor(history, dtype=torch.int64), torch.tensor(logits))
    expected = torch.softmax(scores, -1)[0].numpy()
    assert 1 < (expected > 0).sum() < 14
    bias = np.zeros([1, V])
    bias[0, [5, 9, logits.argmax()]] = [1.5, -2.0, -math.inf]
    row = {
        "temperature": 0.7,
        "top_k": 14,
        "top_p": 0.95,
        "min_p": 0.02,
        "typical_p": 0.9,
        "repetition_penalty": 1.3,
        "no_repeat_ngram_size": 2,
    }
    tokens, _ = choose(
        np.repeat(logits, count, 0),
        make_controls(*[row] * count),
        uniform(tf.zeros([1], tf.int64), tf.range(count, dtype=tf.int64)).numpy(),
        history=np.repeat(history, count, 0),
        bias=bias,
    )
    got = np.bincount(tokens, minlength=V) / count
    assert ((got > 0) == (expected > 0)).all()
    np.testing.assert_allclose(got, expected, atol=5 * math.sqrt(0.25 / count))


def test_the_graph_holds_nothing_a_server_lacks(sampling_graph):
    definition = sampling_graph.graph.as_graph_def()
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    operations = {node.op for node in nodes}
    assert "UpperBound" in operations
    unwanted = ("Xla", "PyFunc", "Assert", "Random", "Print")
    assert not {op for op in operations if any(word in op for word in unwanted)}

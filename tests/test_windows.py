"""Batches as a pure function of (seed, step), and complete epochs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.config import TrainingConfig
from textgen.errors import CorpusError
from textgen.windows import TrainingWindows, ValidationWindows, cut_windows

SHAPES = {
    "num_tokens": st.integers(10, 200),
    "context_length": st.integers(2, 9),
    "batch_size": st.integers(1, 7),
    "seed": st.integers(0, 2**31 - 1),
}


def windows_of(num_tokens, context_length, batch_size, seed):
    # Each token is its own position, so that a window shows where it was cut.
    return TrainingWindows(np.arange(num_tokens), context_length, batch_size, seed)


@given(**SHAPES, first=st.integers(0, 50), chunks=st.lists(st.integers(1, 5), min_size=1))
def test_batches_do_not_depend_on_their_number_per_call(first, chunks, **shape):
    whole = windows_of(**shape).batches(first, sum(chunks))
    windows, step, pieces = windows_of(**shape), first, []
    for count in chunks:
        pieces.append(windows.batches(step, count))
        step += count
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    singles = [windows_of(**shape).batches(first + i, 1)[0] for i in range(sum(chunks))]
    np.testing.assert_array_equal(singles, whole)


@given(**SHAPES, steps=st.lists(st.integers(0, 60), min_size=1, max_size=8))
def test_a_batch_does_not_depend_on_earlier_calls(steps, **shape):
    windows = windows_of(**shape)
    for step in steps:
        np.testing.assert_array_equal(
            windows.batches(step, 1), windows_of(**shape).batches(step, 1)
        )


@given(**SHAPES, epochs=st.integers(1, 4))
def test_every_window_is_shown_once_per_epoch(epochs, **shape):
    windows = windows_of(**shape)
    count = -(-epochs * windows.num_windows // shape["batch_size"])
    starts = windows.batches(0, count).reshape(-1, shape["context_length"] + 1)[:, 0]
    for epoch in range(epochs):
        shown = np.sort(starts[epoch * windows.num_windows :][: windows.num_windows])
        np.testing.assert_array_equal(np.diff(shown), shape["context_length"])


@given(**SHAPES, step=st.integers(0, 1000))
def test_windows_are_consecutive_tokens_inside_the_text(step, **shape):
    batches = windows_of(**shape).batches(step, 3)
    assert batches.shape == (3, shape["batch_size"], shape["context_length"] + 1)
    assert batches.dtype == np.int32
    assert batches.min() >= 0
    assert batches.max() < shape["num_tokens"]
    np.testing.assert_array_equal(np.diff(batches, axis=-1), 1)


def test_different_seeds_have_different_orders():
    first, second = (windows_of(200, 4, 8, seed).batches(0, 4) for seed in (0, 1))
    assert (first != second).any()


@given(
    num_tokens=st.integers(2, 200),
    context_length=st.integers(2, 9),
    batch_size=st.integers(1, 7),
)
def test_validation_predicts_every_token_but_the_first_once(num_tokens, context_length, batch_size):
    windows = ValidationWindows(np.arange(num_tokens), context_length, batch_size)
    targets, inputs = [], []
    for batch, real in windows:
        assert batch.shape == (batch_size, context_length + 1)
        assert real.shape == (batch_size, context_length)
        targets.append(batch[:, 1:][real])
        inputs.append(batch[:, :-1][real])
    np.testing.assert_array_equal(np.sort(np.concatenate(targets)), np.arange(1, num_tokens))
    np.testing.assert_array_equal(np.concatenate(targets), np.concatenate(inputs) + 1)
    assert windows.num_targets == num_tokens - 1


def test_too_few_tokens_for_one_window_are_an_error():
    with pytest.raises(CorpusError, match=r"context_length"):
        windows_of(8, 8, 1, 0)
    assert windows_of(9, 8, 1, 0).batches(0, 1).tolist() == [[list(range(9))]]


@pytest.mark.parametrize("num_tokens", [0, 1])
def test_validation_without_a_token_to_predict_is_an_error(num_tokens):
    with pytest.raises(CorpusError, match=r"validation_split"):
        ValidationWindows(np.arange(num_tokens), 8, 4)


@given(
    num_tokens=st.integers(2, 200),
    context_length=st.integers(2, 9),
    batch_size=st.integers(1, 7),
    max_targets=st.integers(1, 250),
)
def test_a_long_validation_part_is_sampled_evenly(
    num_tokens, context_length, batch_size, max_targets
):
    tokens = np.arange(num_tokens)
    windows = ValidationWindows(tokens, context_length, batch_size, max_targets)
    targets = np.concatenate([batch[:, 1:][real] for batch, real in windows])
    assert len(set(targets)) == len(targets) == windows.num_targets
    assert windows.num_targets <= max(max_targets, context_length)
    places = (targets[::context_length] - 1) // context_length
    if len(places) > 1:
        assert np.ptp(np.diff(places)) <= 1
    if num_tokens - 1 <= max_targets - context_length:
        assert windows.num_targets == num_tokens - 1


@pytest.mark.parametrize("num_tokens", [40, 63, 119, 500])
def test_windows_reach_the_last_token_of_a_short_text(num_tokens):
    windows = TrainingWindows(np.arange(num_tokens), context_length=16, batch_size=4, seed=0)
    shown = windows.batches(0, 400)[..., 1:]
    assert set(shown.ravel()) == set(range(1, num_tokens))


def mixed(num_new, num_old, context_length, batch_size, seed, fraction):
    # Old tokens are above 1,000, so that a window shows its text.
    old = 1000 + np.arange(num_old)
    return TrainingWindows(np.arange(num_new), context_length, batch_size, seed, old, fraction)


@given(
    **SHAPES,
    num_old=st.integers(10, 100),
    fraction=st.floats(0.01, 0.99),
    num_steps=st.integers(1, 60),
)
def test_replay_has_its_exact_fraction_at_every_step(
    num_tokens, num_old, fraction, num_steps, context_length, batch_size, seed
):
    windows = mixed(num_tokens, num_old, context_length, batch_size, seed, fraction)
    batches = windows.batches(0, num_steps)
    assert (np.diff(batches, axis=-1) == 1).all()  # no window has both texts
    is_old = (batches[..., 0] >= 1000).ravel()
    counts, numbers = np.cumsum(is_old), np.arange(1, is_old.size + 1)
    assert (np.abs(counts - numbers * fraction) <= 1).all()


@given(**SHAPES, step=st.integers(0, 50), fraction=st.floats(0.05, 0.95))
def test_a_mixed_batch_does_not_depend_on_earlier_calls(
    num_tokens, step, fraction, context_length, batch_size, seed
):
    shape = num_tokens, 50, context_length, batch_size, seed, fraction
    whole = mixed(*shape).batches(0, step + 1)
    np.testing.assert_array_equal(mixed(*shape).batches(step, 1)[0], whole[step])


def test_the_new_text_keeps_its_own_order_next_to_replay():
    plain = windows_of(200, 4, 1, 7).batches(0, 30)[:, 0]
    both = mixed(200, 100, 4, 1, 7, 0.25).batches(0, 40)[:, 0]
    np.testing.assert_array_equal(both[both[:, 0] < 1000], plain)


def test_replayed_text_must_fill_a_window():
    with pytest.raises(CorpusError, match=r"^The replayed text must be longer"):
        mixed(100, 4, 8, 1, 0, 0.1)


@pytest.mark.parametrize(
    ("num_tokens", "vocab_size", "rows"),
    [(10_000, 11, 64), (9, 11, 4), (81, 11, 12), (10_000, 2**18, 8), (10_000, 2**26, 4)],
)
def test_as_many_windows_are_validated_at_once_as_there_are_and_as_fit(
    num_tokens, vocab_size, rows
):
    config = TrainingConfig(batch_size=8, accumulate=2)
    tokens = np.arange(num_tokens)
    windows = cut_windows(tokens, tokens, config, context_length=8, vocab_size=vocab_size)
    assert windows.validation.batch_size == rows
    predicted = sum(int(real.sum()) for _, real in windows.validation)
    assert predicted == windows.validation.num_targets == num_tokens - 1

"""Windows of rows: what is learned, once per epoch, and as a pure function of the step."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from textgen.row_windows import RowValidationWindows, RowWindows
from textgen.windows import TrainingWindows

ROWS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=9)
LENGTH = st.integers(2, 10)


def rows_of(sizes):
    """Rows of these numbers of given and of learned tokens, whose ids are their positions."""
    ends = np.cumsum(np.array(sizes, np.int64).ravel()).reshape(-1, 2)
    starts = np.concatenate([[0], ends[:-1, 1]])
    return np.arange(ends[-1, 1]), np.column_stack([starts, ends])


@given(sizes=ROWS, length=LENGTH)
def test_every_token_of_every_answer_is_learned_once(sizes, length):
    tokens, rows = rows_of(sizes)
    windows = RowWindows(tokens, rows, length)
    cut = windows.cut(np.arange(len(windows.num_targets)))
    learned = np.sort(cut[:, 1:][cut[:, 1:] >= 0])
    answers = np.concatenate([np.arange(answer, stop) for _, answer, stop in rows])
    np.testing.assert_array_equal(learned, answers)
    np.testing.assert_array_equal((cut[:, 1:] >= 0).sum(1), windows.num_targets)


@given(sizes=ROWS, length=LENGTH)
def test_a_row_that_fits_is_one_window_and_a_long_prompt_loses_its_beginning(sizes, length):
    tokens, rows = rows_of(sizes)
    windows = RowWindows(tokens, rows, length)
    cut = windows.cut(np.arange(len(windows.num_targets)))
    shown = np.maximum(cut, ~cut)
    for start, answer, stop in rows:
        if stop - answer <= length:
            expected = tokens[max(start, stop - length - 1) : stop]
            assert [*expected] in [[*row[: len(expected)]] for row in shown]


@given(sizes=ROWS, length=LENGTH, step=st.integers(0, 40), seed=st.integers(0, 9))
def test_a_batch_is_a_function_of_seed_and_step(sizes, length, step, seed):
    tokens, rows = rows_of(sizes)

    def make():
        return TrainingWindows(tokens, length, 3, seed, rows={"train": rows})

    whole = make().batches(0, step + 2)
    np.testing.assert_array_equal(make().batches(step, 2), whole[step:])
    assert (whole[..., 1:] >= 0).any(-1).all()  # something to learn in every window


@given(sizes=ROWS, length=LENGTH, epochs=st.integers(1, 3))
def test_every_row_is_shown_once_per_epoch(sizes, length, epochs):
    tokens, rows = rows_of(sizes)
    windows = TrainingWindows(tokens, length, 1, 0, rows={"train": rows})
    shown = windows.batches(0, epochs * windows.num_windows)[:, 0]
    for epoch in np.split(shown, epochs):
        learned = epoch[:, 1:]
        learned = np.sort(learned[learned >= 0])
        answers = np.concatenate([np.arange(answer, stop) for _, answer, stop in rows])
        np.testing.assert_array_equal(learned, answers)


@given(sizes=ROWS, length=LENGTH, fraction=st.floats(0.1, 0.9))
def test_older_text_without_prompts_is_mixed_in_by_rows(sizes, length, fraction):
    tokens, rows = rows_of(sizes)
    old = np.arange(1000, 1050)
    parts = {"train": rows, "replay": np.array([[0, 1, 50]])}
    windows = TrainingWindows(tokens, length, 1, 0, old, fraction, parts)
    batches = windows.batches(0, 40)[:, 0]
    num_old = (np.maximum(batches, ~batches).max(1) >= 1000).sum()
    assert abs(num_old - 40 * fraction) <= 1


@given(sizes=ROWS, length=LENGTH, batch_size=st.integers(1, 5))
def test_validation_predicts_every_answer_once(sizes, length, batch_size):
    tokens, rows = rows_of(sizes)
    windows = RowValidationWindows(RowWindows(tokens, rows, length), batch_size, 1000)
    predicted = []
    for batch, real in windows:
        assert batch.shape == (batch_size, length + 1)
        assert batch.min() >= 0
        predicted.append(batch[:, 1:][real])
    answers = np.concatenate([np.arange(answer, stop) for _, answer, stop in rows])
    np.testing.assert_array_equal(np.sort(np.concatenate(predicted)), answers)
    assert windows.num_targets == len(answers)


def test_a_long_validation_part_is_sampled_evenly():
    tokens, rows = rows_of([(2, 2)] * 100)
    windows = RowValidationWindows(RowWindows(tokens, rows, 4), 8, 50)
    assert windows.num_targets == 50

"""The stepwise pass of both models gives the logits of the full pass."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models.shapes import SHAPES
from textgen.config import ModelConfig
from textgen.models import build_model, cached_decoder, kernel_parts

ONE_LAYER = ModelConfig("transformer", num_layers=1, num_heads=4, hidden_dim=32, context_length=9)
each_shape = pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)


@pytest.fixture(params=[*SHAPES.values(), ONE_LAYER], ids=[*SHAPES, "one-layer"])
def model(request):
    model = build_model(request.param, vocab_size=11, seed=3)
    generator = np.random.default_rng(0)
    # Larger than at the start of training, so that a mistake cannot hide in small logits.
    for variable in model.trainable_variables:
        variable.assign(generator.normal(0, 0.4, variable.shape))
    return model


@pytest.mark.parametrize("seed", range(3))
def test_prefill_then_steps_equal_the_full_pass(model, seed):
    generator = np.random.default_rng(seed)
    time = model.config.context_length
    tokens = generator.integers(0, 11, (3, time)).astype(np.int32)
    lengths = generator.integers(0, time, 3).astype(np.int32)
    full = np.asarray(model(tokens))
    decoder = model.decoder().snapshot().for_rows(3)

    size = max(lengths.max(), 1)
    padded = np.where(np.arange(time) < lengths[:, None], tokens, 0)[:, :size]
    hidden, state = decoder.prefill(tf.constant(padded), tf.constant(lengths))
    for row, length in enumerate(lengths):
        if length:
            logits = decoder.logits(hidden[row, :length])
            np.testing.assert_allclose(logits, full[row, :length], atol=1e-4)
    state = decoder.reserve(state, tf.constant(lengths), time)
    position = lengths.copy()
    while position.max() < time:
        step = tf.constant(tokens[np.arange(3), position])
        hidden, state = decoder.step(step, state, tf.constant(position))
        wanted = full[np.arange(3), position]
        np.testing.assert_allclose(decoder.logits(hidden), wanted, atol=1e-4)
        position += 1


def test_what_lies_past_a_row_s_position_does_not_matter(model):
    tokens = np.random.default_rng(5).integers(0, 11, (2, 8)).astype(np.int32)
    decoder = model.decoder()
    position = tf.constant([3, 5])
    _, state = decoder.prefill(tokens, position)
    hidden = []
    for junk in (0.0, 7.0, np.nan):
        # A server that merges requests pads the shorter state with whatever comes first in it.
        padded = tuple(
            tf.pad(cache, [[0, 0], [0, 0], [0, 2], [0, 0]], constant_values=junk)
            if cache.shape.rank == 4
            else cache
            for cache in state
        )
        ready = decoder.reserve(padded, position, 9)
        hidden.append(decoder.step(tokens[:, 7], ready, position)[0])
    np.testing.assert_array_equal(hidden[0], hidden[1])
    np.testing.assert_array_equal(hidden[0], hidden[2])


def test_room_is_made_a_little_at_a_time(model):
    tokens = np.random.default_rng(5).integers(0, 11, (2, 6)).astype(np.int32)
    full = np.asarray(model(tokens))
    decoder = model.decoder().snapshot()
    _, state = decoder.prefill(tokens[:, :1], tf.zeros([2], tf.int32))
    for t in range(6):
        state = decoder.reserve(state, tf.fill([2], t), t + 1)
        hidden, state = decoder.step(tokens[:, t], state, tf.fill([2], t))
        np.testing.assert_allclose(decoder.logits(hidden), full[:, t], atol=1e-4)


def test_steps_with_what_was_looked_up_before_equal_other_steps(model, monkeypatch):
    tokens = np.random.default_rng(5).integers(0, 11, (2, 9)).astype(np.int32)
    decoder = model.decoder().snapshot().for_rows(2)
    position = tf.constant([1, 3])
    _, state = decoder.prefill(tokens[:, :3], position)
    state = decoder.reserve(state, position, 7)
    # One step more than the second row has room for, which stays where it is.
    num_steps, tables = decoder.look_up(state, position, tf.constant(5))
    assert num_steps == 5
    for t in range(4):
        token, looked_up = tokens[:, 4 + t], tuple(table[t] for table in tables)
        hidden, after = decoder.step(token, state, position + t, looked_up)
        expected, state = decoder.step(token, state, position + t)
        # Sines of several positions are rounded differently.
        for one, other in zip((hidden, *after), (expected, *state), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
    monkeypatch.setattr(cached_decoder, "_MAX_BIASES", 1)
    num_steps, tables = decoder.look_up(state, position, tf.constant(5))
    assert num_steps == (1 if tables else 5)
    assert all(len(table) == 1 for table in tables)


def test_several_tokens_at_once_equal_steps_and_those_not_kept_are_forgotten(model):
    decoder = model.decoder().snapshot()
    if not decoder.extends:
        pytest.skip("the state of this family cannot forget a token")
    tokens = np.random.default_rng(5).integers(0, 11, (2, 9)).astype(np.int32)
    full = np.asarray(model(tokens))
    position = np.array([1, 3], np.int32)
    _, state = decoder.prefill(tokens[:, :3], position)
    state = decoder.reserve(state, position, 9)
    at = np.arange(2)[:, None], position[:, None] + np.arange(4)
    wrong = tf.constant((tokens[at] + [0, 0, 1, 1]) % 11)
    hidden, state = decoder.extend(wrong, state, tf.constant(position))
    for t in range(2):
        logits = decoder.logits(hidden[:, t])
        np.testing.assert_allclose(logits, full[np.arange(2), position + t], atol=1e-4)
    position += 2
    at = np.arange(2)[:, None], position[:, None] + np.arange(2)
    hidden, state = decoder.extend(tf.constant(tokens[at]), state, tf.constant(position))
    position += 1
    state = decoder.reserve(state, position, 9)
    step = decoder.step(tokens[np.arange(2), position], state, position)[0]
    for x, at in ((hidden[:, 0], position - 1), (hidden[:, 1], position), (step, position)):
        np.testing.assert_allclose(decoder.logits(x), full[np.arange(2), at], atol=1e-4)


def test_no_token_sees_the_future(model):
    tokens = np.random.default_rng(6).integers(0, 11, (1, 8)).astype(np.int32)
    changed = tokens.copy()
    changed[0, 5:] = (changed[0, 5:] + 1) % 11
    np.testing.assert_allclose(model(tokens)[:, :5], model(changed)[:, :5], atol=1e-6)


@each_shape
def test_the_order_of_tokens_matters(config):
    model = build_model(config, vocab_size=11, seed=3)
    for variable in model.trainable_variables:
        variable.assign(np.random.default_rng(0).normal(0, 0.4, variable.shape))
    logits, swapped = (np.asarray(model(np.array([ids]))) for ids in ([1, 2, 3, 4], [2, 1, 3, 4]))
    assert np.abs(logits[:, -1] - swapped[:, -1]).max() > 1e-3


def test_a_transformer_knows_distances_but_no_places():
    model = build_model(ONE_LAYER, vocab_size=11, seed=3)
    logits = np.asarray(model(np.full((1, 9), 5)))
    np.testing.assert_allclose(logits[:, 1:], logits[:, :-1], atol=1e-6)

    # Where attention looks four tokens back and nowhere else, so does what comes out.
    model.blocks[0].distance_bias.assign(np.tile(np.eye(9)[4] * 50, (4, 1)))
    tokens = np.array([[1, 2, 3, 4, 5, 6, 7, 8, 9]])
    changed = np.array([[9, 2, 3, 4, 5, 6, 7, 8, 9]])
    moved = np.abs(np.asarray(model(tokens)) - np.asarray(model(changed))).max(-1)[0]
    assert moved[4] > 1e-3
    np.testing.assert_allclose(moved[5:], 0, atol=1e-6)


@each_shape
def test_initial_weights_are_a_function_of_the_seed(config):
    first, again, other = (build_model(config, 11, seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_only_the_forget_gates_of_the_lstm_start_with_a_bias():
    model = build_model(ModelConfig("lstm", num_layers=1, hidden_dim=4), vocab_size=11)
    biases = {v.path: np.asarray(v) for v in model.trainable_variables if v.path.endswith("bias")}
    cell = next(value for path, value in biases.items() if "lstm_cell" in path)
    assert cell.tolist() == [0] * 4 + [1] * 4 + [0] * 8
    assert not np.any(np.asarray(model.output_dense.bias))


def test_rows_of_a_state_can_be_selected_taken_and_repeated(model):
    decoder = model.decoder()
    tokens = np.random.default_rng(7).integers(0, 11, (2, 4)).astype(np.int32)
    lengths = tf.constant([4, 3])
    old, new = (decoder.prefill(ids, lengths)[1] for ids in (tokens, (tokens + 1) % 11))

    def rows(state):
        return [[np.asarray(tensor)[row] for tensor in state] for row in range(len(state[0]))]

    selected = decoder.select_rows(tf.constant([True, False]), new, old)
    np.testing.assert_equal(rows(selected), [rows(new)[0], rows(old)[1]])
    taken = decoder.take_rows(old, tf.constant([1, 1, 0]))
    np.testing.assert_equal(rows(taken), [rows(old)[i] for i in (1, 1, 0)])
    repeated = decoder.repeat_rows(old, tf.constant(2))
    np.testing.assert_equal(rows(repeated), [rows(old)[i] for i in (0, 0, 1, 1)])


def test_reserve_raises_the_capacity_of_a_limited_state(model):
    decoder = model.decoder()
    _, state = decoder.prefill(tf.zeros([2, 3], tf.int32), tf.constant([3, 1]))
    larger = decoder.reserve(state, tf.constant([3, 1]), 7)
    if decoder.max_positions is None:
        assert decoder.capacity(state) is None
    else:
        assert (int(decoder.capacity(state)), int(decoder.capacity(larger))) == (3, 7)


def test_a_decoder_without_a_limit_processes_a_text_in_parts(model):
    decoder = model.decoder()
    if decoder.max_positions is not None:
        pytest.skip("its state is limited")
    tokens = np.random.default_rng(8).integers(0, 11, (3, 9)).astype(np.int32)
    lengths = np.array([9, 5, 0], np.int32)
    hidden, whole = decoder.prefill(tokens, lengths)
    state, parts = None, []
    for start in (0, 4, 8):
        part = tokens[:, start : start + 4]
        found, state = decoder.prefill(part, np.clip(lengths - start, 0, part.shape[1]), state)
        parts.append(found)
    for row, length in enumerate(lengths):
        found = np.concatenate(parts, 1)[row, :length]
        np.testing.assert_allclose(found, hidden[row, :length], atol=1e-6)
    for tensor, expected in zip(state, whole, strict=True):
        np.testing.assert_allclose(tensor, expected, atol=1e-6)


@pytest.mark.parametrize("num_threads", [1, 3, 64])
@pytest.mark.parametrize("num_rows", [1, 3])
@pytest.mark.parametrize("family", ["transformer", "llama"])
def test_the_parts_of_a_wide_kernel_give_the_product(family, num_rows, num_threads, monkeypatch):
    config = ModelConfig(family, num_layers=1, num_heads=2, hidden_dim=16, context_length=8)
    whole = build_model(config, vocab_size=24, seed=3).decoder().snapshot()
    monkeypatch.setattr(kernel_parts, "_MIN_WEIGHTS", 16 * 24)
    in_parts = whole.for_rows(tf.constant(num_rows), tf.constant(num_threads))
    tokens = np.random.default_rng(9).integers(0, 24, (num_rows, 6)).astype(np.int32)
    position = tf.fill([num_rows], 3)
    _, state = whole.prefill(tokens[:, :3], position)
    state = whole.reserve(state, position, 8)
    hidden, expected = (each.step(tokens[:, 3], state, position)[0] for each in (in_parts, whole))
    np.testing.assert_allclose(hidden, expected, atol=1e-5)
    np.testing.assert_allclose(in_parts.logits(hidden), whole.logits(expected), atol=1e-5)
    if whole.extends:
        several = tokens[:, 3:6]
        hidden, expected = (d.extend(several, state, position)[0] for d in (in_parts, whole))
        np.testing.assert_allclose(hidden, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("num_threads", "parts"), [(0, 1), (1, 1), (2, 2), (7, 4), (8, 8), (99, 8)]
)
def test_a_wide_kernel_has_a_part_for_each_thread_if_there_is_one_row(num_threads, parts):
    kernels = {"wide": tf.zeros([512, 512]), "narrow": tf.zeros([16, 512])}
    cut = kernel_parts.cut(kernels, kernel_parts.num_parts(1, num_threads))
    assert cut["wide"].shape == (parts, 512 // parts, 512)
    assert cut["narrow"].shape == (1, 16, 512)
    cut = kernel_parts.cut(kernels, kernel_parts.num_parts(2, num_threads))
    assert cut["wide"].shape == (1, 512, 512)
    assert kernel_parts.cut({"narrow": kernels["narrow"]}, tf.constant(2)) == {}

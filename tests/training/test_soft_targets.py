"""What a teacher predicts for every token, and what a student learns from it."""

import numpy as np
import pytest
import tensorflow as tf

from textgen.config import ModelConfig, TrainingConfig
from textgen.models import build_model
from textgen.training.soft_targets import add_teaching, num_predictions, write_taught
from textgen.training.step import Step

SHAPE = ModelConfig("lstm", num_layers=1, hidden_dim=8, context_length=6, dropout=0.0)


def unpacked(taught):
    """Tokens, the tokens that are predicted in their places, and how probable these are."""
    return taught[..., 0], taught[..., 1:] >> 16, (taught[..., 1:] & 0xFFFF) / 0xFFFF


@pytest.mark.parametrize("num_tokens", [2, 5, 7, 8, 50])
def test_every_token_but_the_first_is_predicted_from_half_a_context_or_more(tmp_path, num_tokens):
    text = np.random.default_rng(0).integers(3, 40, num_tokens).astype(np.uint16)
    teacher = build_model(SHAPE, 40, seed=1)
    done = []
    write_taught(tmp_path / "taught.npy", text, teacher, lambda *sizes: done.append(sizes))
    tokens, ids, probabilities = unpacked(np.load(tmp_path / "taught.npy"))
    assert done[-1] == (num_tokens, num_tokens)
    np.testing.assert_array_equal(tokens, text)
    assert not probabilities[0].any()
    for position in range(1, num_tokens):
        start = max(0, (position - 1) // 3 * 3 - 3)
        context = text[start:position].astype(np.int32)
        assert 3 <= len(context) <= 6 or start == 0
        true = tf.nn.softmax(teacher(context[None], training=False))[0, -1].numpy()
        best = np.argsort(-true, kind="stable")[:16]
        np.testing.assert_array_equal(np.sort(ids[position]), np.sort(best))
        np.testing.assert_allclose(probabilities[position], true[ids[position]], atol=1e-5)


def test_a_small_vocabulary_is_kept_whole():
    assert (num_predictions(11), num_predictions(2048)) == (11, 16)


def test_the_loss_is_that_of_a_mixture_of_text_and_teacher():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(2, 3, 20)).astype(np.float32)
    targets = generator.integers(0, 20, (2, 3)).astype(np.int32)
    ids = np.stack([generator.permutation(20)[:5] for _ in range(6)]).reshape(2, 3, 5)
    probabilities = generator.dirichlet(np.ones(6), (2, 3))[..., :5]
    packed = ids.astype(np.uint32) << 16 | np.rint(probabilities * 0xFFFF).astype(np.uint32)
    mixture = np.zeros((2, 3, 20))
    np.put_along_axis(mixture, ids, 0.9 * probabilities, -1)
    own = np.take_along_axis(mixture, targets[..., None], -1) + 1 - mixture.sum(-1, keepdims=True)
    np.put_along_axis(mixture, targets[..., None], own, -1)
    logprobs = tf.nn.log_softmax(logits).numpy()
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
    taught = add_teaching(losses, targets, logits, packed.view(np.int32))
    np.testing.assert_allclose(taught, -(mixture * logprobs).sum(-1), atol=1e-4)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_silent_teacher_changes_nothing_and_another_does(accumulate):
    rows = np.random.default_rng(0).integers(3, 20, (2, 4, 7)).astype(np.int32)
    silent = np.concatenate([rows[..., None], np.zeros((*rows.shape, 16), np.int32)], -1)
    sure = silent.copy()
    sure[..., 1] = 5 << 16 | 0xFFFF
    learned = []
    for batches, teacher in ((rows, None), (silent, "big"), (sure, "big")):
        config = TrainingConfig(
            batch_size=4, accumulate=accumulate, jit_compile=False, teacher=teacher
        )
        step = Step(SHAPE, config, 20, tf.distribute.get_strategy())
        measures = step.run(batches, 0, np.ones(2, np.float32))
        learned.append((measures, [np.asarray(weight) for weight in step.model.weights]))
    (plain, weights), (same, same_weights), (_, other_weights) = learned
    np.testing.assert_allclose(same, plain, rtol=1e-5)
    for mine, theirs in zip(weights, same_weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(weights, other_weights, strict=True))

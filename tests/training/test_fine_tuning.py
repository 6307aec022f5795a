"""A run that begins from a trained model: what stays, what comes back, and what is mixed in."""

import numpy as np
import pytest

from textgen.errors import ModelDamagedError
from textgen.models import ModelConfig, build_model
from textgen.reporter import Reporter
from textgen.training import clock
from textgen.training.optimizers import FINE_TUNING_FACTOR

ARCHITECTURES = ("transformer", "lstm")
SHAPE = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16, "context_length": 8, "dropout": 0.0}


class Recorder(Reporter):
    def __init__(self):
        self.validations = []

    def validation(self, validation):
        self.validations.append(validation)


def weights_of(architecture, seed=3):
    """The decoder's weights of a model that nobody would mistake for the initial one."""
    model = build_model(ModelConfig(architecture, **SHAPE), 11, seed)
    return model.decoder_weights()


def named(trainer):
    return {k: np.asarray(v).copy() for k, v in trainer.model.named_variables().items()}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_run_begins_with_the_logits_of_its_parent(make_trainer, architecture):
    weights = weights_of(architecture)
    model = {**SHAPE, "architecture": architecture}
    trainer = make_trainer(model=model, parent_weights=weights)
    parent = build_model(ModelConfig(architecture, **SHAPE), 11, 3)
    ids = np.arange(3, 11)[None]
    np.testing.assert_allclose(trainer.model(ids), parent(ids), atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_frozen_layers_and_embeddings_stay_as_they_are(make_trainer, architecture):
    trainer = make_trainer(
        model={**SHAPE, "architecture": architecture},
        parent_weights=weights_of(architecture),
        freeze_layers=1,
    )
    before = named(trainer)
    trainer.fit()
    for name, value in named(trainer).items():
        is_frozen = "embedding" in name or "_0/" in name
        assert (value == before[name]).all() == is_frozen, name
    arrays, _ = trainer.checkpoints.load_newest()
    kept = [name for name in arrays if name.startswith("model/")]
    assert len(kept) == len(trainer.model.trainable_variables) < len(before)


@pytest.mark.parametrize(
    ("partial", "architecture"),
    [({}, "lstm"), ({"freeze_layers": 1}, "transformer"), ({"adapter_rank": 2}, "transformer")],
)
def test_a_resumed_run_with_replay_ends_like_an_uninterrupted_one(
    make_trainer, monkeypatch, tokens, assert_same_arrays, partial, architecture
):
    settings = {
        "model": {**SHAPE, "architecture": architecture, "dropout": 0.3},
        **partial,
        "parent_weights": weights_of(architecture),
        "replay": tokens[::-1].copy(),
        "replay_fraction": 0.3,
    }
    whole = make_trainer("whole", **settings)
    outcome = whole.fit()
    monkeypatch.setattr(clock, "_SECONDS_PER_CALL", 0.0)  # one step a call
    remaining = iter([None] * 5 + ["interrupt"])
    make_trainer("pieces", **settings).fit(should_stop=lambda: next(remaining))
    if not partial:
        settings["parent_weights"] = None  # the checkpoint has all weights
    resumed = make_trainer("pieces", **settings, has_parent=True)
    ended = resumed.fit(resume=True)
    assert_same_arrays(*(t.checkpoints.load_newest()[0] for t in (resumed, whole)))
    assert_same_arrays(named(resumed), named(whole))
    assert (ended.initial_loss, ended.validation_loss) == (
        outcome.initial_loss,
        outcome.validation_loss,
    )


def test_adapters_train_alone_and_fit_into_small_checkpoints(make_trainer):
    weights = weights_of("transformer")
    trainer = make_trainer(model=SHAPE, parent_weights=weights, adapter_rank=2)
    before = named(trainer)
    result = trainer.fit()
    for name, value in named(trainer).items():
        np.testing.assert_array_equal(value, before[name])
    assert result.validation_loss < result.initial_loss
    assert 0 < result.trained_fraction < 0.3
    arrays, _ = trainer.checkpoints.load_newest()
    assert sum(a.size for k, a in arrays.items() if k.startswith("model/")) == sum(
        array.size for array in trainer.model.adapters.arrays().values()
    )
    merged = build_model(trainer.model.config, 11)
    merged.load_decoder_weights(trainer.model.decoder_weights())
    ids = np.arange(3, 11)[None]
    np.testing.assert_allclose(merged(ids), trainer.model(ids), atol=1e-4)


def test_the_loss_before_the_first_step_is_reported_and_recorded(make_trainer, read_history):
    recorder = Recorder()
    trainer = make_trainer(model=SHAPE, parent_weights=weights_of("transformer"), reporter=recorder)
    result = trainer.fit()
    first = recorder.validations[0]
    assert (first.step, first.validation_loss) == (0, result.initial_loss)
    assert first.loss == first.validation_loss
    assert read_history(trainer.history.path)[0]["step"] == 0
    assert result.validation_loss < result.initial_loss


def test_a_parent_that_no_step_improves_is_what_is_kept(make_trainer, tokens):
    parent = make_trainer("parent", model=SHAPE, max_steps=150, learning_rate=0.02)
    parent.fit()
    trainer = make_trainer(
        model=SHAPE,
        parent_weights=parent.model.decoder_weights(),
        learning_rate=5.0,
        warmup_steps=0,
    )
    result = trainer.fit()
    assert result.best_step == 0
    assert result.validation_loss == result.initial_loss


def test_a_trained_model_gets_a_lower_rate(make_trainer):
    random = make_trainer("random", model=SHAPE)
    trained = make_trainer(model=SHAPE, parent_weights=weights_of("transformer"))
    given = make_trainer(
        "given", model=SHAPE, parent_weights=weights_of("transformer"), learning_rate=0.5
    )
    assert trained._step.peak_rate == FINE_TUNING_FACTOR * random._step.peak_rate
    assert given._step.peak_rate == 0.5


def test_weights_of_another_shape_are_one_sentence(make_trainer):
    weights = weights_of("transformer")
    for wrong in ({}, {**weights, "logits/kernel": np.zeros((2, 2))}):
        with pytest.raises(ModelDamagedError, match="another version of textgen: weights must be"):
            make_trainer(model=SHAPE, parent_weights=wrong)


def test_a_window_may_be_shorter_than_the_context(make_trainer):
    trainer = make_trainer(model=SHAPE, window_length=5)
    assert trainer.windows.batches(0, 1).shape == (1, 4, 6)
    assert trainer.fit().step == 12
    assert trainer.model.decoder().max_positions == 8

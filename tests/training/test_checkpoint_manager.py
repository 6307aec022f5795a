"""What is kept on disk comes back; what the disk refused is not lost."""

import errno

import numpy as np
import pytest

from textgen.errors import CheckpointError
from textgen.training.checkpoint_manager import CheckpointManager, State


@pytest.fixture
def trainer(make_trainer):
    return make_trainer(max_steps=3)


@pytest.fixture
def manager(trainer):
    return CheckpointManager(trainer.checkpoints, trainer.model, trainer.optimizer)


def values(variables):
    return [np.asarray(variable).copy() for variable in variables]


def spoil(variables):
    for variable in variables:
        variable.assign(np.ones(variable.shape, variable.dtype))


def assert_same(variables, wanted):
    for variable, value in zip(variables, wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(variable), value)


def test_weights_slots_and_state_come_back(trainer, manager):
    trainer.fit()
    variables = [*trainer.model.trainable_variables, *trainer.optimizer.variables]
    wanted = values(variables)
    state = State(step=7, best_loss=1.5, best_step=6, loss_sum=0.1, loss_count=1)
    manager.save(state)
    spoil(variables)
    assert manager.restore() == state
    assert_same(variables, wanted)


@pytest.mark.parametrize("is_full", [False, True])
def test_the_best_weights_come_back_from_a_full_disk_too(trainer, manager, monkeypatch, is_full):
    def refuse(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    weights = trainer.model.trainable_variables
    wanted = values(weights)
    manager.keep_best()
    if is_full:
        monkeypatch.setattr(trainer.checkpoints, "save_best", refuse)
    spoil(weights)
    state = State(step=1, best_loss=1.5, best_step=1)
    manager.save(state)
    assert manager.restore_best(state) == (1, 1.5)
    assert_same(weights, wanted)


def test_best_weights_newer_than_the_state_bring_their_own_step_and_loss(manager):
    manager.keep_best()
    manager.save(State(step=9, best_loss=1.25, best_step=9))
    assert manager.restore_best(State(step=6, best_loss=1.5, best_step=5)) == (9, 1.25)


def test_best_weights_without_a_loss_are_taken_for_those_of_their_step_alone(trainer, manager):
    weights = {f"model/{i}": np.asarray(v) for i, v in enumerate(trainer.model.trainable_variables)}
    trainer.checkpoints.save_best(weights, {"step": 5})
    assert manager.restore_best(State(step=6, best_loss=1.5, best_step=5)) == (5, 1.5)
    with pytest.raises(CheckpointError, match=r"of step 4\. Received: of step 5"):
        manager.restore_best(State(step=4, best_loss=1.5, best_step=4))


def test_a_disk_is_called_full_once_until_it_is_not(manager, caplog):
    error = OSError(errno.ENOSPC, "No space left on device")
    manager.warn_unwritten(4, error)
    manager.warn_unwritten(5, error)
    manager.save(State(step=6))
    manager.warn_unwritten(7, error)
    told = [r.getMessage() for r in caplog.records if r.name.startswith("textgen")]
    assert [message.split()[1] for message in told] == ["4", "7"]

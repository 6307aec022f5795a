"""The end of a run says what was kept, why, and what to do next."""

from pathlib import Path

import pytest
from textgen.cli.train import report

from textgen.pipeline import Trained
from textgen.training.result import TrainingResult


@pytest.fixture
def said(capsys):
    """Report the end of a run of 400 steps; return what a user reads."""

    def make(best_step=400, ended_by="max_steps", is_validated=True):
        result = TrainingResult(None, 400, best_step, 1.5, ended_by, True, is_validated)
        report(Trained("mine", Path("saved_models/mine/1"), result), None)
        return capsys.readouterr().err

    return make


def test_an_earlier_step_that_was_kept_is_named_with_what_may_help(said):
    text = said(best_step=200)
    assert "Kept step 200 of 400" in text
    assert "memorized" in text
    assert "--dropout" in text
    assert "Kept step" not in said(best_step=400)


def test_a_run_without_validation_says_that_it_learned_everything(said):
    text = said(is_validated=False)
    assert "loss on its own text 1.500" in text
    assert "the last step was kept" in text


@pytest.mark.parametrize(
    ("ended_by", "hint"), [("time_budget", "--resume --time-budget 2m"), ("interrupt", "--resume")]
)
def test_a_run_that_was_stopped_says_how_it_goes_on(said, ended_by, hint):
    assert hint in said(ended_by=ended_by)

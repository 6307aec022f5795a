"""A plan is described in two lines."""

import pytest
from textgen.cli.plan_text import describe_plan

from textgen.config import RunConfig, TrainingConfig
from textgen.planning import CorpusSize, Machine, make_plan

NOVEL = CorpusSize(1_003_854, 111_540, 345_842, 43_427, 2048, 2.35)


@pytest.fixture
def plan():
    """Plan a run of 200 s, with settings to keep."""

    def make(**kept):
        config = RunConfig(training=TrainingConfig(**kept))
        return make_plan(config, kept, NOVEL, Machine("2 CPU cores", 200e9), 200)

    return make


def test_the_lines_name_the_run_and_what_to_expect(plan):
    first, second = describe_plan(plan()).splitlines()
    assert first.startswith("Plan: transformer 4 x ")
    assert first.endswith("min on 2 CPU cores.")
    assert second.startswith("Corpus: 1.12 million characters, ")
    assert " epochs; expect about 2." in second


@pytest.mark.parametrize(("steps", "epochs"), [(500, "1.5"), (10_000, "30"), (2_000_000, "5,922")])
def test_epochs_are_written_without_an_exponent(plan, steps, epochs):
    config = plan(max_steps=steps, batch_size=16)
    assert f"characters, {epochs} epochs;" in describe_plan(config)


def test_of_a_few_steps_no_loss_is_promised(plan):
    assert "expect little of so few steps; 300 take about" in describe_plan(plan(max_steps=10))


def test_a_plan_that_makes_a_parrot_says_so(plan):
    assert "Warning" not in describe_plan(plan(epochs=30))
    warning = describe_plan(plan(epochs=60)).splitlines()[2]
    assert warning.startswith("Warning: after 60 epochs, a model copies from its corpus.")

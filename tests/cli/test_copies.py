"""What a model copied when it was exported: on its card, and in `textgen info`."""

import shutil

import pytest

from textgen.catalog import Catalog
from textgen.inference import copying
from textgen.inference.copying import measure_copies
from textgen.inference.own_run import own_run


@pytest.fixture
def entry(models):
    return Catalog(models).find("fox")


def test_the_card_tells_and_info_prints(run, models, entry):
    copies = entry.card.copies
    assert copies.num_characters > 0
    assert (copies.longest >= 20) == (copies.fraction > 0)
    # The corpus is one sentence, over and over.
    assert copies.held_out_fraction == 1
    assert copies.held_out_longest == copies.held_out_characters > 0
    result = run("info", "fox", "--models-dir", models)
    assert (
        f"Copies:        {copies.fraction:.1%} of {copies.num_characters:,} generated "
        f"characters, the longest {copies.longest:,}; of held-out text 100.0%, the longest "
        f"{copies.held_out_longest:,}\n"
    ) in result.stdout


def test_it_is_measured_as_far_as_there_is_time(entry, monkeypatch):
    monkeypatch.setattr(copying, "NUM_CHARACTERS", 100)
    copies = measure_copies(entry.path, own_run(entry))
    assert copies.num_characters == 100
    monkeypatch.setattr(copying, "MAX_SECONDS", 0.0)
    assert measure_copies(entry.path, own_run(entry)) is None


def test_a_large_corpus_and_a_model_that_cannot_be_opened_go_without(entry, monkeypatch, tmp_path):
    broken = shutil.copytree(entry.path, tmp_path / "1")
    (broken / "saved_model.pb").unlink()
    assert measure_copies(broken, own_run(entry)) is None
    monkeypatch.setattr(copying, "_MAX_CORPUS", 10)
    assert measure_copies(entry.path, own_run(entry)) is None

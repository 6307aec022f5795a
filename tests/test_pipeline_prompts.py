"""Runs on prompts and answers."""

import json

import numpy as np
import pytest

import textgen

SETTINGS = {
    "prompt_column": "question",
    "text_column": "answer",
    "validation_split": 0.25,
    "num_layers": 1,
    "num_heads": 1,
    "hidden_dim": 8,
    "context_length": 40,
    "dropout": 0.1,
    "batch_size": 2,
    "max_steps": 6,
    "jit_compile": False,
}


@pytest.fixture
def table(tmp_path, without_samples, without_graph):
    """A table of questions and answers of different lengths."""
    rows = [{"question": f"{n} and one?", "answer": f"It is {n + 1}."} for n in range(0, 4000, 250)]
    path = tmp_path / "sums.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def test_a_resumed_run_ends_with_the_weights_of_one_that_was_never_stopped(table, tmp_path):
    whole = textgen.train([table], "whole", models_dir=tmp_path, **SETTINGS)
    stops = {"should_stop": lambda: "interrupt"}
    first = textgen.train([table], "pieces", models_dir=tmp_path, **stops, **SETTINGS)
    assert first.result.step < whole.result.step
    resumed = textgen.resume([table], "pieces", models_dir=tmp_path)
    assert resumed.result.step == whole.result.step
    assert resumed.result.validation_loss == whole.result.validation_loss
    for weights in zip(
        *(each.result.model.get_weights() for each in (resumed, whole)), strict=True
    ):
        assert np.array_equal(*weights)

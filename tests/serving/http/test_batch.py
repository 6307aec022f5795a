"""Rows join and leave a batch without a trace in the others."""

import pytest

from tests.serving.http.conftest import make_row
from textgen.catalog import ModelEntry
from textgen.inference import TextGenerator
from textgen.serving.http.batch import Batch, Prompt


@pytest.mark.parametrize("architecture", ["transformer", "lstm"])
def test_rows_come_and_go_and_write_what_they_would_alone(exported_models, architecture):
    entry = ModelEntry(architecture, 1, exported_models[architecture].path)
    settings = {
        "first": {"seed": 1, "max_new_tokens": 40},
        "second": {"seed": 2, "max_new_tokens": 7, "stop": ["ab", "c", "é"]},
        "third": {"seed": 3, "max_new_tokens": 25, "logit_bias": {"a": 2.0}, "top_k": 5},
    }
    written = dict.fromkeys(settings, b"")
    with TextGenerator(entry) as generator:
        alone = {name: generator.generate(f"a b {name}", **s).text for name, s in settings.items()}
        batch, running, waiting = Batch(generator.saved_model), [], list(settings)
        while waiting or running:
            if waiting:
                name = waiting.pop(0)
                batch.add([make_row(f"a b {name}", **settings[name]).prompt])
                running.append(name)
            outputs = batch.decode(3)
            for name, text in zip(running, outputs["text_bytes"], strict=True):
                written[name] += text
            kept = [row for row, reason in enumerate(outputs["finish_reason"]) if not reason]
            batch.keep(kept)
            running = [running[row] for row in kept]
    assert batch.size == 0
    assert {name: text.decode() for name, text in written.items()} == alone


def test_a_token_bias_counts_for_one_token_of_one_row(generator):
    batch = Batch(generator.saved_model)
    row = make_row("a", temperature=0.0, max_new_tokens=4).prompt
    token = int(generator.tokenizer.encode("d")[0])
    batch.add([row, Prompt(row.inputs, {token: 100.0})])
    plain, biased = batch.decode(4)["text_bytes"]
    assert biased == b"dddd"
    assert plain.decode() == generator.generate("a", temperature=0, max_new_tokens=4).text

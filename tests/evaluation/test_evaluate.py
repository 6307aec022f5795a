"""Models are measured as training measures them, and compared on the same characters."""

import json
import math
import shutil

import numpy as np
import pytest

from textgen.errors import CorpusError, GenerationError, ModelDamagedError
from textgen.evaluation import evaluate, read_evaluations, save_evaluation
from textgen.inference import TextGenerator, load


@pytest.fixture(scope="module")
def evaluation(models):
    return evaluate(["lines", "text"], models_dir=models)


@pytest.mark.parametrize("name", ["lines", "text"])
def test_the_loss_is_what_training_printed(name, trained):
    results, folder = trained
    (model,) = evaluate([name], models_dir=folder, baselines=False).models
    assert model.losses["windows"].value == pytest.approx(
        results[name].result.validation_loss, abs=1e-3
    )
    # Random windows estimate the same.
    assert model.losses["random"].value == pytest.approx(model.losses["windows"].value, rel=0.1)


def test_full_context_is_what_a_score_has(models, tmp_path):
    text = "The 7 quick brown foxes jump over 明月光。"
    file = tmp_path / "a.txt"
    file.write_text(text, "utf-8")
    (model,) = evaluate(["lines"], [str(file)], models, baselines=False).models
    with load("lines", models) as loaded:
        score = loaded.score(text)
    assert model.figures["loss"].value == pytest.approx(-score.logprob / score.num_tokens, abs=1e-4)
    assert model.figures["bits_per_byte"].value == pytest.approx(score.bits_per_byte, abs=1e-4)


def test_every_figure_is_in_its_interval(evaluation):
    for model in evaluation.models:
        for name, figure in model.figures.items():
            assert math.isfinite(figure.value), name
            # Resamples are never better calibrated, and one call has one speed.
            if name not in ("calibration_error", "characters_per_second"):
                assert figure.low <= figure.value <= figure.high, name
        assert 0 <= model.figures["accuracy"].value <= 1
        assert model.memory_bytes > 1e7


def test_models_are_compared_with_each_other_on_the_same_characters(evaluation):
    (comparison,) = evaluation.comparisons
    bits = {m.name: m.figures["bits_per_character"].value for m in evaluation.models}
    assert {comparison.better, comparison.worse} == set(bits)
    difference = bits[comparison.worse] - bits[comparison.better]
    assert comparison.difference.value == pytest.approx(difference)
    assert comparison.verdict.startswith(comparison.better)
    json.dumps(evaluation.to_dict())


def test_counting_beats_guessing(evaluation):
    names = [each.name for each in evaluation.baselines]
    bits = {each.name: each.bits_per_character.value for each in evaluation.baselines}
    assert {"uniform", "unigram", "Kneser-Ney 5", "gzip", "bzip2", "xz", "zstd"} == set(names)
    assert bits["Kneser-Ney 5"] < bits["unigram"] < bits["uniform"]


def test_what_a_model_cannot_write_has_its_price(models, tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("The quick ☃☃ fox", "utf-8")
    found = evaluate(["text", "lines"], [str(file)], models, baselines=False)
    text, lines = found.models
    assert (text.num_unknown, lines.num_unknown) == (2, 0)
    assert text.unknown_bits == pytest.approx(20, abs=0.1)
    with load("text", models) as loaded:
        scored = loaded.score("The quick ☃☃ fox")
    expected = (-scored.logprob / math.log(2) + 2 * text.unknown_bits) / scored.num_characters
    assert text.figures["bits_per_character"].value == pytest.approx(expected, abs=1e-3)
    assert any("cannot write 2 of the characters" in note for note in found.notes)


def test_a_text_that_is_cut_says_so(models):
    found = evaluate(["text"], models_dir=models, max_characters=100, baselines=False)
    assert found.num_characters == 100
    assert "its first 100 characters count" in found.notes[0]


@pytest.mark.parametrize(
    ("content", "message"), [("", "no text"), (" \n", "no text"), ("☃", "knows none of the text")]
)
def test_a_text_with_nothing_to_measure_is_refused(models, tmp_path, content, message):
    file = tmp_path / "a.txt"
    file.write_text(content, "utf-8")
    with pytest.raises(CorpusError, match=message):
        evaluate(["text"], [str(file)], models)


def test_one_character_is_measured_without_intervals(models, tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("T", "utf-8")
    found = evaluate(["text", "lines"], [str(file)], models)
    assert found.models[0].figures["loss"].low is None
    assert "too short to say" in found.comparisons[0].verdict


def test_a_corpus_that_is_another_one_now_is_not_evaluated_on(models, tmp_path):
    shutil.copytree(models / "lines" / "1", tmp_path / "lines" / "1")
    shutil.copytree(models / "text" / "train", tmp_path / "lines" / "train")
    settings = tmp_path / "lines" / "train" / "config.json"
    changed = json.loads(settings.read_text())
    changed["corpus"]["digest"] = "0" * 64
    settings.write_text(json.dumps(changed))
    with pytest.raises(CorpusError, match="or has changed since: name a file"):
        evaluate(["lines"], models_dir=tmp_path)


def test_broken_weights_and_old_models_are_named(models, monkeypatch):
    run = TextGenerator.__init__

    def broken(self, *arguments, **settings):
        run(self, *arguments, **settings)
        original = self.saved_model.run
        self.saved_model.run = lambda *a, **k: {
            name: value * np.float32("nan") for name, value in original(*a, **k).items()
        }

    with monkeypatch.context() as patched:
        patched.setattr(TextGenerator, "__init__", broken)
        with pytest.raises(GenerationError, match="weights are broken"):
            evaluate(["text"], models_dir=models)

    def old(self, *arguments, **settings):
        run(self, *arguments, **settings)
        del self.saved_model.signatures["score_tokens"]

    monkeypatch.setattr(TextGenerator, "__init__", old)
    with pytest.raises(ModelDamagedError, match="cannot be evaluated"):
        evaluate(["text"], models_dir=models)


def test_evaluations_are_kept_next_to_the_model(evaluation, models, tmp_path):
    shutil.copytree(models, tmp_path / "m", symlinks=True)
    for _ in range(2):
        paths = save_evaluation(evaluation, ["lines", "text"], tmp_path / "m")
    assert [path.parent.name for path in paths] == ["lines", "text"]
    from textgen.catalog import Catalog

    evil = ["not JSON", "[]", '{"version": 1, "number": 9, "models": [], "text": 1}', "[" * 99999]
    paths[1].write_text(paths[1].read_text() + "\n".join(evil) + "\n")
    (tmp_path / "m" / "text").rename(tmp_path / "m" / "renamed")
    saved = read_evaluations(Catalog(tmp_path / "m").find("renamed"))
    assert len(saved) == 2
    assert saved[0].text == evaluation.text
    assert saved[0].bits_per_character == evaluation.models[1].figures["bits_per_character"]

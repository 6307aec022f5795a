"""A run that learns a teacher's predictions beside the text."""

import dataclasses
import shutil

import pytest

import textgen
from tests import light_runs
from textgen import job
from textgen.errors import CheckpointError, ConfigError, ModelNotFoundError

pytestmark = pytest.mark.usefixtures("without_samples", "without_graph")

TEXT = "abcde " * 60 + "abcd cbda " * 20
TINY = {
    "architecture": "lstm",
    "num_layers": 1,
    "hidden_dim": 8,
    "context_length": 8,
    "dropout": 0.0,
    "batch_size": 4,
    "jit_compile": False,
    "tokenizer": "character",
}


class Phases(textgen.Reporter):
    def __init__(self):
        self.names = []

    def phase(self, name):
        self.names.append(name)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_text(TEXT, "utf-8")
    return path


@pytest.fixture(scope="module")
def teacher(corpus, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        light_runs.without_samples(patch.setattr)
        light_runs.without_graph(patch.setattr)
        folder = tmp_path_factory.mktemp("models")
        textgen.train([corpus], "big", models_dir=folder, max_steps=20, **TINY)
    return folder


@pytest.fixture
def models(teacher, tmp_path):
    return shutil.copytree(teacher, tmp_path / "models")


def taught(corpus, models, name="student", **settings):
    given = {"max_steps": 6, "validate_every": 3, "teacher": "big", **TINY, **settings}
    return textgen.train([corpus], name, models_dir=models, **given)


def test_a_student_learns_something_else_and_its_card_names_the_teacher(corpus, models):
    alone = taught(corpus, models, "alone", teacher=None).result
    done = taught(corpus, models)
    assert done.result.validation_loss != alone.validation_loss
    entry = textgen.Catalog(models).find("student")
    big = textgen.Catalog(models).find("big")
    assert (entry.card.teacher.name, entry.card.teacher.version) == ("big", 1)
    assert len(entry.card.teacher.digest) == 64
    assert entry.card.parent is big.card.teacher is None


def test_a_student_resumes_bit_by_bit_after_its_teacher_is_gone(corpus, models):
    whole = taught(corpus, models, "whole").result
    interrupted = iter([None, None])
    pieces = textgen.train(
        [corpus],
        "pieces",
        models_dir=models,
        should_stop=lambda: next(interrupted, "interrupt"),
        **{"max_steps": 6, "validate_every": 3, "teacher": "big", **TINY},
    )
    shutil.rmtree(models / "big")
    resumed = textgen.resume([corpus], "pieces", models_dir=models).result
    assert pieces.result.step < resumed.step == 6
    assert resumed.validation_loss == whole.validation_loss


def test_what_a_teacher_predicted_is_computed_once(corpus, models):
    phases = Phases()
    taught(corpus, models, reporter=phases)
    first = taught(corpus, models, hidden_dim=16, reporter=phases)
    assert phases.names.count("teaching") == 1
    again = textgen.train([corpus], "other", models_dir=models, max_steps=6, **TINY)
    assert first.result.validation_loss != again.result.validation_loss
    textgen.train([corpus], "big", models_dir=models, max_steps=21, **TINY)
    taught(corpus, models, reporter=phases)  # by the new version
    assert phases.names.count("teaching") == 2


def test_damaged_predictions_are_one_sentence(corpus, models):
    taught(corpus, models)
    path = models / "student" / "train" / "teacher" / "taught.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match=r"taught.npy has changed .* Begin a new run"):
        textgen.resume([corpus], "student", models_dir=models, max_steps=9)


def test_a_missing_teacher_is_missed_before_the_corpus_is_read(corpus, models):
    phases = Phases()
    with pytest.raises(ModelNotFoundError, match="no model 'nobody'"):
        taught(corpus, models, teacher="nobody", reporter=phases)
    with pytest.raises(ModelNotFoundError, match="no model 'nobody'"):
        textgen.plan([corpus], "student", models_dir=models, teacher="nobody", reporter=phases)
    assert phases.names == []


@pytest.mark.parametrize(
    ("settings", "error", "rule"),
    [
        ({"teacher": "nobody"}, ModelNotFoundError, "no model 'nobody'"),
        ({"tokenizer": "bpe"}, ConfigError, "same tokenizer. Received: big/1, with 9 tokens of"),
        (
            {"label_files": True, "split_documents": "line"},
            ConfigError,
            "teacher cannot be combined with prompts, labels",
        ),
        ({"strategy": "multi-worker"}, ConfigError, "teacher cannot be combined with strategy"),
        ({"teacher": ""}, ConfigError, "teacher must be the name or the folder of a model"),
    ],
)
def test_what_cannot_be_taught_leaves_nothing_behind(corpus, models, settings, error, rule):
    with pytest.raises(error, match=rule):
        taught(corpus, models, **settings)
    assert [path.name for path in models.iterdir() if path.name != "big"] == []


def test_a_plan_keeps_the_teacher(corpus, models):
    plan = textgen.plan([corpus], "student", models_dir=models, teacher="big", time_budget=60)
    assert plan.config.training.teacher == "big"
    assert dataclasses.replace(plan.config.training, teacher=None).teacher is None


def test_a_plan_counts_the_time_that_its_teacher_has_yet_to_take(corpus, models, monkeypatch):
    monkeypatch.setattr(job, "teaching_seconds", lambda *_: 1000.0)

    def planned(**settings):
        return textgen.plan([corpus], "student", models_dir=models, max_steps=6, **TINY, **settings)

    assert planned(teacher="big").seconds > 1000 > planned().seconds
    taught(corpus, models)
    assert planned(teacher="big").seconds < 1000


def test_a_plan_of_what_cannot_be_taught_is_refused(corpus, models):
    with pytest.raises(ConfigError, match="teacher must have the run's own tokenizer"):
        textgen.plan([corpus], "student", models_dir=models, teacher="big", tokenizer="bpe")

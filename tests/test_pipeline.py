"""From a folder of texts to a model that writes, and back to the same run."""

import dataclasses
import json

import pytest

import textgen
from textgen.errors import CheckpointError, ConfigError

CONFIG = textgen.RunConfig(
    corpus=textgen.CorpusConfig(split_documents="file", validation_split=0.3),
    model=textgen.ModelConfig(
        architecture="lstm", num_layers=1, hidden_dim=16, context_length=8, dropout=0.0
    ),
    training=textgen.TrainingConfig(max_steps=4, batch_size=4, jit_compile=False),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for index in range(4):
        (folder / f"{index}.txt").write_text(f"document {index}: " + "abcde " * 20, "utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """A model trained once and a second time with another seed."""
    models = tmp_path_factory.mktemp("models")
    first = textgen.train([corpus], "mine", CONFIG, models)
    training = dataclasses.replace(CONFIG.training, seed=1)
    second = textgen.train([corpus], "mine", dataclasses.replace(CONFIG, training=training), models)
    return first, second


@pytest.fixture
def models(trained):
    return trained[0].path.parents[1]


def test_a_model_trained_on_a_folder_can_be_loaded_and_writes(models):
    with textgen.load("mine", models) as model:
        generation = model.generate("abc", seed=3, max_new_tokens=20)
        assert 0 < generation.num_tokens <= 20
        assert model.generate("abc", seed=3, max_new_tokens=20) == generation
        assert model.card["corpus"]["has_documents"]
        assert model.card["steps"] == 4


def test_training_again_writes_the_next_version_and_keeps_the_run_before(trained):
    first, second = trained
    assert (first.path.name, second.path.name) == ("1", "2")
    folder = first.path.parent
    for run, seed in (("train.previous", 0), ("train", 1)):
        settings = json.loads((folder / run / "config.json").read_text("utf-8"))
        assert settings["run"]["training"]["seed"] == seed
    with textgen.load(first.path) as earlier:
        assert earlier.generate("abc", seed=3, max_new_tokens=5).num_tokens > 0


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"learning_rate": 0.5}, "--learning-rate"),
        ({"hidden_dim": 32}, "--hidden-dim"),
        ({"min_count": 2, "max_steps": 9}, "--min-count"),
        ({"lowercase": True}, "--lowercase"),
        ({"architecture": "transformer"}, "--model"),
    ],
)
def test_resuming_with_another_setting_names_its_flag(models, changes, flag):
    with pytest.raises(ConfigError, match=f"^{flag} cannot change"):
        textgen.resume("mine", changes, models_dir=models)


def test_resuming_with_a_setting_that_does_not_exist_names_it(models):
    with pytest.raises(ConfigError, match=r"must name settings of a run\. Received: max_step$"):
        textgen.resume("mine", {"max_step": 9, "seed": 1}, models_dir=models)


def test_resuming_with_another_corpus_is_refused(models, tmp_path):
    (tmp_path / "other.txt").write_text("Something else altogether.", "utf-8")
    with pytest.raises(CheckpointError, match="corpus is not the one"):
        textgen.resume("mine", {}, [tmp_path / "other.txt"], models)


def test_resuming_where_nothing_was_trained_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="no run to resume"):
        textgen.resume("mine", {}, models_dir=tmp_path)


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"run": 1}'])
def test_a_run_with_damaged_settings_is_an_error(tmp_path, damage):
    path = tmp_path / "mine" / "train" / "config.json"
    path.parent.mkdir(parents=True)
    path.write_text(damage, "utf-8")
    with pytest.raises(CheckpointError, match="damaged"):
        textgen.resume("mine", {}, models_dir=tmp_path)


def test_a_run_goes_on_to_more_steps_on_the_same_corpus(corpus, tmp_path):
    textgen.train([corpus], "mine", CONFIG, tmp_path)
    # Settings that are the same may be given again.
    changes = {"max_steps": 6, "hidden_dim": 16, "learning_rate": None}
    longer = textgen.resume("mine", changes, [corpus], tmp_path)
    assert longer.outcome.step == 6
    assert longer.path.name == "2"


def test_a_run_killed_in_its_export_is_exported_when_it_is_resumed(corpus, tmp_path, monkeypatch):
    import textgen.export

    def kill(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(textgen.export, "write_saved_model", kill)
        textgen.train([corpus], "mine", CONFIG, tmp_path)
    assert textgen.Catalog(tmp_path).entries() == []
    resumed = textgen.resume("mine", {}, models_dir=tmp_path)
    undisturbed = textgen.train([corpus], "undisturbed", CONFIG, tmp_path)
    assert resumed.path == tmp_path / "mine" / "1"
    assert resumed.outcome.step == undisturbed.outcome.step
    assert resumed.outcome.validation_loss == undisturbed.outcome.validation_loss
    texts = []
    for path in (resumed.path, undisturbed.path):
        with textgen.load(path) as model:
            texts.append(model.generate("abc", seed=3, max_new_tokens=20))
    assert texts[0] == texts[1]


def test_a_run_ends_once_for_every_model_that_is_there(corpus, tmp_path):
    trained = textgen.train([corpus], "mine", CONFIG, tmp_path)
    with pytest.raises(CheckpointError, match="already ended at step 4"):
        textgen.resume("mine", {}, models_dir=tmp_path)
    trained.path.rename(tmp_path / "elsewhere")
    assert textgen.resume("mine", {}, models_dir=tmp_path).path == trained.path


# What stays the same makes the run short; the plan's own models take minutes.
FIXED = frozenset({"num_layers", "hidden_dim", "context_length", "dropout", "batch_size"})


def test_a_planned_run_stops_when_its_time_is_over_and_goes_on_with_its_plan(
    corpus, tmp_path, monkeypatch
):
    plans = []

    class Listener(textgen.Reporter):
        def planned(self, plan):
            plans.append(plan)

    monkeypatch.setattr(textgen.Planning, "deadline", lambda planning, plan: 0.0)
    planning = textgen.Planning(FIXED, time_budget=60)
    stopped = textgen.train(
        [corpus], "mine", CONFIG, tmp_path, planning=planning, reporter=Listener()
    )
    assert stopped.outcome.ended_by == "time_budget"
    assert stopped.outcome.step == 1
    card = json.loads((stopped.path / "assets.extra" / "textgen.json").read_text("utf-8"))
    max_steps = card["training"]["max_steps"]
    assert max_steps >= 20
    assert f"{max_steps:,} steps" in plans[0]
    assert card["training"]["batch_size"] == CONFIG.training.batch_size
    resumed = textgen.resume("mine", {}, models_dir=tmp_path, should_stop=lambda: True)
    assert resumed.outcome.step == 2
    card = json.loads((resumed.path / "assets.extra" / "textgen.json").read_text("utf-8"))
    assert card["training"]["max_steps"] == max_steps


def test_a_plan_begins_no_run(corpus, tmp_path):
    plan = textgen.plan([corpus], "mine", CONFIG, tmp_path, planning=textgen.Planning(FIXED))
    assert plan.config.model == CONFIG.model
    assert plan.seconds > 0
    assert not list(tmp_path.iterdir())


def test_a_run_of_several_workers_cannot_be_planned(corpus, tmp_path):
    training = dataclasses.replace(CONFIG.training, strategy="multi-worker")
    config = dataclasses.replace(CONFIG, training=training)
    with pytest.raises(ConfigError, match="several workers cannot be planned"):
        textgen.train([corpus], "mine", config, tmp_path, planning=textgen.Planning())


def test_rare_characters_become_the_unknown_token(tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("x" + "abcd" * 60, "utf-8")
    config = dataclasses.replace(CONFIG, corpus=textgen.CorpusConfig(), min_count=2)
    textgen.train([corpus], "mine", config, tmp_path / "models")
    with textgen.load("mine", tmp_path / "models") as model:
        assert model.unknown_characters("xay") == ["x", "y"]
        assert "x" not in model.generate("a", temperature=5.0, seed=0, max_new_tokens=200).text

"""From a folder of texts to a model that writes, and back to the same run."""

import dataclasses
import json
import math
import shutil

import pytest

import textgen
from textgen.errors import CheckpointError, ConfigError, CorpusError
from textgen.planning import PlanRequest

# The module's fixture is set up before, and writes them.
pytestmark = pytest.mark.usefixtures("without_samples")
without_graph = pytest.mark.usefixtures("without_graph")

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
        assert model.card.corpus.has_documents
        assert model.card.steps == 4


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
    ("changes", "setting"),
    [
        ({"learning_rate": 0.5}, "learning_rate"),
        ({"hidden_dim": 32}, "hidden_dim"),
        ({"min_count": 2, "max_steps": 9}, "min_count"),
        ({"lowercase": True}, "lowercase"),
        ({"architecture": "transformer"}, "architecture"),
    ],
)
def test_resuming_with_another_setting_names_it(models, changes, setting):
    with pytest.raises(ConfigError, match=f"^{setting} cannot change"):
        textgen.resume([], "mine", models_dir=models, **changes)


def test_resuming_with_a_setting_that_does_not_exist_names_it(models):
    with pytest.raises(ConfigError, match="Unknown settings of a run: max_step"):
        textgen.resume([], "mine", models_dir=models, max_step=9, seed=1)


def test_resuming_with_another_corpus_is_refused(models, tmp_path):
    (tmp_path / "other.txt").write_text("Something else altogether.", "utf-8")
    with pytest.raises(CheckpointError, match="corpus is not the one"):
        textgen.resume([tmp_path / "other.txt"], "mine", models_dir=models)


def test_resuming_where_nothing_was_trained_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="no run to resume"):
        textgen.resume([], "mine", models_dir=tmp_path)


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"run": 1}'])
def test_a_run_with_damaged_settings_is_an_error(tmp_path, damage):
    path = tmp_path / "mine" / "train" / "config.json"
    path.parent.mkdir(parents=True)
    path.write_text(damage, "utf-8")
    with pytest.raises(CheckpointError, match="damaged"):
        textgen.resume([], "mine", models_dir=tmp_path)


@without_graph
def test_a_run_goes_on_to_more_steps_on_the_same_corpus(corpus, tmp_path):
    textgen.train([corpus], "mine", CONFIG, tmp_path)
    # Settings that are the same may be given again.
    changes = {"max_steps": 6, "hidden_dim": 16, "learning_rate": None}
    longer = textgen.resume([corpus], "mine", models_dir=tmp_path, **changes)
    assert longer.result.step == 6
    assert longer.path.name == "2"


@without_graph
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_run_killed_in_its_export_is_exported_when_it_is_resumed(
    corpus, tmp_path, monkeypatch, error
):
    import textgen.export

    def kill(*arguments):
        raise error

    with monkeypatch.context() as patch, pytest.raises((KeyboardInterrupt, OSError)):
        patch.setattr(textgen.export, "write_saved_model", kill)
        textgen.train([corpus], "mine", CONFIG, tmp_path)
    assert textgen.Catalog(tmp_path).entries() == []
    resumed = textgen.resume([], "mine", models_dir=tmp_path)
    undisturbed = textgen.train([corpus], "undisturbed", CONFIG, tmp_path)
    assert resumed.path == tmp_path / "mine" / "1"
    assert resumed.result.step == undisturbed.result.step
    assert resumed.result.validation_loss == undisturbed.result.validation_loss
    one, other = (
        {file.name: file.read_bytes() for file in (trained.path / "variables").iterdir()}
        for trained in (resumed, undisturbed)
    )
    assert one == other


@without_graph
def test_a_run_ends_once_for_every_model_that_is_there(corpus, tmp_path):
    trained = textgen.train([corpus], "mine", CONFIG, tmp_path)
    with pytest.raises(CheckpointError, match="already ended at step 4"):
        textgen.resume([], "mine", models_dir=tmp_path)
    trained.path.rename(tmp_path / "elsewhere")
    assert textgen.resume([], "mine", models_dir=tmp_path).path == trained.path


# What stays the same makes the run short; the plan's own models take minutes.
KEPT = {
    "architecture": "lstm",
    "split_documents": "file",
    "validation_split": 0.3,
    "num_layers": 1,
    "hidden_dim": 16,
    "context_length": 8,
    "dropout": 0.0,
    "batch_size": 4,
    "jit_compile": False,
}


@without_graph
def test_a_run_is_planned_and_stops_when_its_time_is_over(corpus, tmp_path, monkeypatch):
    plans = []

    class Listener(textgen.Reporter):
        def planned(self, plan):
            plans.append(plan)

    monkeypatch.setattr(PlanRequest, "deadline", lambda request, plan: 0.0)
    stopped = textgen.train(
        [corpus], "mine", models_dir=tmp_path, time_budget=60, reporter=Listener(), **KEPT
    )
    assert stopped.result.ended_by == "time_budget"
    assert stopped.result.step == 1
    card = textgen.Catalog(tmp_path).find("mine").card
    max_steps = card.training.other["max_steps"]
    assert max_steps >= 20
    assert plans[0].config.training.max_steps == max_steps
    assert plans[0].config.model.hidden_dim == 16
    assert card.training.batch_size == 4
    with pytest.raises(CheckpointError, match="another time_budget"):
        textgen.resume([], "mine", models_dir=tmp_path)
    more = {"time_budget": 60, "should_stop": lambda: "interrupt"}
    resumed = textgen.resume([], "mine", models_dir=tmp_path, **more)
    assert (resumed.result.step, resumed.result.ended_by) == (2, "interrupt")
    card = textgen.Catalog(tmp_path).find("mine").card
    assert card.training.other["max_steps"] == max_steps


def test_a_plan_begins_no_run(corpus, tmp_path):
    plan = textgen.plan([corpus], "mine", models_dir=tmp_path, **KEPT)
    settings = plan.config.to_settings()
    assert {name: settings[name] for name in KEPT} == KEPT
    assert plan.seconds > 0
    assert not list(tmp_path.iterdir())


def test_a_config_is_kept_as_a_whole(corpus, tmp_path):
    assert textgen.plan([corpus], "mine", CONFIG, tmp_path).config == CONFIG


def test_an_unknown_setting_is_named(corpus, tmp_path):
    with pytest.raises(ConfigError, match="Unknown settings of a run: hiden_dim"):
        textgen.train([corpus], "mine", models_dir=tmp_path, hiden_dim=8)


def test_a_run_of_several_workers_cannot_be_planned(corpus, tmp_path):
    for planned in (textgen.plan, textgen.train):
        with pytest.raises(ConfigError, match="A plan is for one machine only"):
            planned([corpus], "mine", models_dir=tmp_path, time_budget=9, strategy="multi-worker")


def test_epochs_become_steps(corpus, tmp_path):
    plan = textgen.plan([corpus], "mine", models_dir=tmp_path, epochs=3, **KEPT)
    tokens = plan.corpus.train_tokens
    assert plan.steps == plan.config.training.max_steps == math.ceil(3 * tokens / (4 * 8))
    with pytest.raises(ConfigError, match="max_steps cannot be combined with epochs"):
        textgen.plan([corpus], "mine", models_dir=tmp_path, epochs=3, max_steps=9, **KEPT)


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    path = tmp_path_factory.mktemp("letters") / "letters.txt"
    path.write_text("deed cab abcd document " * 30, "utf-8")
    return path


TUNING = {"max_steps": 6, "batch_size": 4, "jit_compile": False, "validation_split": 0.2}


def test_a_model_begins_from_another_and_its_card_names_it(
    trained, models, letters, corpus, request
):
    tuned = textgen.train(
        [letters], "tuned", models_dir=models, from_model="mine/1", replay=[corpus], **TUNING
    )
    assert tuned.result.validation_loss < tuned.result.initial_loss
    with textgen.load(tuned.path) as model, textgen.load(trained[0].path) as parent:
        assert model.card.model == parent.card.model
        assert model.card.num_parameters == parent.card.num_parameters
        assert (model.card.parent.name, model.card.parent.version) == ("mine", 1)
        assert model.card.parent.validation_loss == tuned.result.initial_loss
        assert len(model.card.parent.digest) == 64
        # It may generate what it or its parent has learned, and nothing else.
        missing = [set(each.card.tokenizer.unseen) for each in (model, parent)]
        assert set() < missing[0] <= missing[1]
        assert model.generate("abc", seed=3, max_new_tokens=5).num_tokens > 0
    request.getfixturevalue("without_graph")
    # The tokens are reused only for the same text and the same tokenizer.
    phases = Phases()
    again = {"models_dir": models, "reporter": phases, **TUNING}
    textgen.train([letters], "tuned", from_model=tuned.path, replay=[corpus], **again)
    assert "reusing" in phases.names
    textgen.train([letters], "tuned", from_model="mine", **again)
    assert phases.names.count("reusing") == 1


class Phases(textgen.Reporter):
    def __init__(self):
        self.names = []

    def phase(self, name):
        self.names.append(name)


@without_graph
@pytest.mark.parametrize("freeze_layers", [0, 1])
def test_a_tuned_run_resumes_after_its_parent_is_gone(corpus, letters, tmp_path, freeze_layers):
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, num_layers=2))
    parent = textgen.train([corpus], "mine", config, tmp_path).path
    settings = {"models_dir": tmp_path, "from_model": "mine", "freeze_layers": freeze_layers}
    whole = textgen.train([letters], "whole", **settings, **TUNING)
    first = textgen.train([letters], "pieces", **settings, **{**TUNING, "max_steps": 3})
    shutil.rmtree(parent)
    kept = tmp_path / "pieces" / "train" / "parent"
    assert kept.exists() == bool(freeze_layers)
    longer = textgen.resume([letters], "pieces", models_dir=tmp_path, max_steps=6)
    assert (longer.result.step, first.result.step) == (6, 3)
    assert longer.result.initial_loss == whole.result.initial_loss
    if freeze_layers:
        data = next((kept / "variables").glob("*.data-*"))
        data.write_bytes(data.read_bytes()[:-1] + b"x")
        with pytest.raises(CheckpointError, match="have changed since"):
            textgen.resume([], "pieces", models_dir=tmp_path, max_steps=9)


class _Killed(BaseException):
    """The process ends here."""


class _KilledBeforeAnyCheckpoint(textgen.Reporter):
    def phase(self, name):
        if name == "compiling":
            raise _Killed


@without_graph
@pytest.mark.parametrize("freeze_layers", [0, 1])
def test_a_tuned_run_killed_before_its_first_checkpoint_begins_at_its_parent(
    corpus, letters, tmp_path, freeze_layers
):
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, num_layers=2))
    textgen.train([corpus], "mine", config, tmp_path)
    settings = {"from_model": "mine", "freeze_layers": freeze_layers, **TUNING}
    whole = textgen.train([letters], "whole", models_dir=tmp_path, **settings)
    with pytest.raises(_Killed):
        textgen.train(
            [letters],
            "killed",
            models_dir=tmp_path,
            reporter=_KilledBeforeAnyCheckpoint(),
            **settings,
        )
    resumed = textgen.resume([letters], "killed", models_dir=tmp_path)
    assert resumed.result.initial_loss == whole.result.initial_loss
    assert resumed.result.validation_loss == whole.result.validation_loss


@without_graph
def test_the_test_part_is_measured_after_training_and_never_trained_on(corpus, tmp_path):
    judged, tested = tmp_path / "judged.txt", tmp_path / "tested.txt"
    for path in (judged, tested):
        path.write_text("abcde zebra " * 9 + "\r\n", "utf-8")
    config = dataclasses.replace(CONFIG, corpus=textgen.CorpusConfig())
    parts = {"validation": [judged], "test": [tested]}
    trained = textgen.train([corpus], "tested", config, tmp_path, **parts)
    assert trained.result.test_loss == pytest.approx(trained.result.validation_loss, rel=1e-5)
    entry = textgen.Catalog(tmp_path).find("tested")
    assert entry.card.test_loss == trained.result.test_loss
    assert entry.card.corpus.other["test_characters"] == len("abcde zebra " * 9 + "\n")
    run = json.loads((tmp_path / "tested" / "train" / "tokenizer.json").read_text("utf-8"))
    assert "z" not in run["characters"]


def test_what_contradicts_the_parent_leaves_nothing_behind(models, letters, tmp_path):
    for settings, rule in (
        ({"hidden_dim": 32}, "hidden_dim comes from"),
        ({"from_model": "nobody"}, "no model 'nobody'"),
        (
            {"from_model": None, "freeze_layers": 1},
            "freeze_layers and adapter_rank need from_model",
        ),
    ):
        given = {"from_model": str(models / "mine" / "1"), **settings}
        with pytest.raises(textgen.TextgenError, match=rule):
            textgen.train([letters], "tuned", models_dir=tmp_path, **given)
    assert not list(tmp_path.iterdir())


def test_a_plan_never_gives_a_trained_model_another_shape(models, letters):
    plan = textgen.plan([letters], "tuned", models_dir=models, from_model="mine", time_budget=3600)
    shape = textgen.Catalog(models).find("mine").card.model.to_dict()
    planned = plan.config.model.to_dict()
    assert {**planned, "dropout": 0} == {**shape, "dropout": 0}


SENTENCE = "你好，这是一个文本生成模型。你好，你好！"
VERSE = (
    "Tyger Tyger, burning bright,\n"
    "In the forests of the night;\n"
    "What immortal hand or eye,\n"
    "Could frame thy fearful symmetry?\n"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "text", "prompt", "stop"),
    [("transformer", VERSE, "Tyger Tyger", "symmetry"), ("lstm", SENTENCE, "你好", "。")],
)
def test_a_short_text_is_memorized(tmp_path, architecture, text, prompt, stop):
    (tmp_path / "corpus.txt").write_text(text, "utf-8")
    corpus = [tmp_path / "corpus.txt"]
    trained = textgen.train(corpus, "mine", models_dir=tmp_path, architecture=architecture)
    assert not trained.result.is_validated
    assert trained.result.best_step == trained.result.step
    with textgen.load(trained.path) as model:
        written = model.generate(prompt, temperature=0, stop=[stop]).text
    assert text.startswith(prompt + written)
    assert written.endswith(stop)


@pytest.mark.parametrize(
    ("text", "is_validated"),
    [("ab", False), ("abcabcabca", False), ("a" * 200, False), ("line\n" * 10000, True)],
)
def test_corpora_without_much_to_learn_are_planned(tmp_path, text, is_validated):
    (tmp_path / "corpus.txt").write_text(text, "utf-8")
    plan = textgen.plan([tmp_path / "corpus.txt"], "mine", models_dir=tmp_path / "models")
    assert plan.steps >= 300
    assert bool(plan.corpus.validation_tokens) == is_validated


def test_a_corpus_of_one_character_is_too_short(tmp_path):
    (tmp_path / "corpus.txt").write_text("a", "utf-8")
    with pytest.raises(CorpusError, match=r"Received: \d tokens"):
        textgen.train([tmp_path / "corpus.txt"], "mine", models_dir=tmp_path / "models")


def test_rare_characters_become_the_unknown_token(tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("x" + "abcd" * 60, "utf-8")
    config = dataclasses.replace(CONFIG, corpus=textgen.CorpusConfig(), min_count=2)
    textgen.train([corpus], "mine", config, tmp_path / "models")
    with textgen.load("mine", tmp_path / "models") as model:
        assert model.unknown_characters("xay") == ["x", "y"]
        assert "x" not in model.generate("a", temperature=5.0, seed=0, max_new_tokens=200).text

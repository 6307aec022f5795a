"""From a folder of texts to a model that writes, and back to the same run."""

import dataclasses
import json
import os
import shutil

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
    ],
)
def test_resuming_with_another_setting_names_its_flag(models, changes, flag):
    with pytest.raises(ConfigError, match=f"^{flag} cannot change"):
        textgen.resume("mine", changes, models_dir=models)


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


class Phases(textgen.Reporter):
    """Remembers the phases and the bytes done in each; interrupts where training would begin."""

    def __init__(self):
        self.names = []
        self.done = {}

    def phase(self, name):
        if name == "compiling":
            raise KeyboardInterrupt
        self.names.append(name)

    def bytes_done(self, done, total):
        self.done[self.names[-1]] = (done, total)


AFRESH = ["reading", "learning", "encoding"]
REUSING = ["reading", "reusing"]


@pytest.fixture
def begin(corpus, tmp_path):
    """Begin to train on a copy of the corpus, up to the first step."""
    copy = tmp_path / "corpus"
    shutil.copytree(corpus, copy)

    def begin(config=CONFIG):
        phases = Phases()
        with pytest.raises(KeyboardInterrupt):
            textgen.train([copy], "mine", config, tmp_path, reporter=phases)
        return phases

    return begin


def test_every_byte_of_the_corpus_is_reported(begin, corpus):
    phases = begin()
    sizes = [file.stat().st_size for file in corpus.iterdir()]
    assert phases.done["reading"] == (sum(sizes), sum(sizes))
    # A byte after every document.
    assert phases.done["encoding"] == (sum(sizes) + len(sizes), sum(sizes) + len(sizes))


def test_a_run_on_the_same_corpus_reuses_the_tokens(begin, tmp_path):
    assert begin().names == AFRESH
    longer = dataclasses.replace(CONFIG, training=textgen.TrainingConfig(batch_size=2))
    assert begin(longer).names == REUSING
    now, before = (tmp_path / "mine" / run for run in ("train", "train.previous"))
    for name in ("train.npy", "validation.npy"):
        assert (now / "tokens" / name).samefile(before / "tokens" / name)
    for folder, batch_size in ((before, 4), (now, 2)):
        settings = json.loads((folder / "config.json").read_text("utf-8"))
        assert settings["run"]["training"]["batch_size"] == batch_size
    # And the next run reuses what was reused.
    assert begin().names == REUSING


def test_other_text_or_other_cleaning_is_read_anew(begin, tmp_path):
    assert begin().names == AFRESH
    file = tmp_path / "corpus" / "0.txt"
    status = file.stat()
    file.write_text(file.read_text("utf-8").replace("abcde", "abcdf"), "utf-8")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert begin().names == AFRESH
    other = textgen.CorpusConfig(split_documents="file", validation_split=0.3, normalize="nfc")
    assert begin(dataclasses.replace(CONFIG, corpus=other)).names == AFRESH
    assert begin(dataclasses.replace(CONFIG, corpus=other, min_count=2)).names == AFRESH


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokens/train.npy"])
def test_tokens_of_a_damaged_run_are_not_reused(begin, tmp_path, name):
    assert begin().names == AFRESH
    (tmp_path / "mine" / "train" / name).write_bytes(b"{")
    assert begin().names == AFRESH


def test_without_hard_links_the_tokens_are_copied(begin, tmp_path, monkeypatch):
    def refuse(*paths):
        raise PermissionError(1, "Operation not permitted")

    assert begin().names == AFRESH
    monkeypatch.setattr(os, "link", refuse)
    assert begin().names == REUSING
    files = [tmp_path / "mine" / run / "tokens/train.npy" for run in ("train", "train.previous")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert not files[0].samefile(files[1])


def test_the_rows_of_a_table_are_documents(begin, tmp_path):
    for file in (tmp_path / "corpus").iterdir():
        row = json.dumps({"body": file.read_text("utf-8")})
        file.rename(file.with_suffix(".jsonl")).write_text(f"{row}\n{row}\n", "utf-8")
    begin(dataclasses.replace(CONFIG, corpus=textgen.CorpusConfig(text_column="body")))
    settings = json.loads((tmp_path / "mine" / "train" / "config.json").read_text("utf-8"))
    assert settings["corpus"]["num_documents"] == 8
    assert settings["corpus"]["has_documents"]


def test_rare_characters_become_the_unknown_token(tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("x" + "abcd" * 60, "utf-8")
    config = dataclasses.replace(CONFIG, corpus=textgen.CorpusConfig(), min_count=2)
    textgen.train([corpus], "mine", config, tmp_path / "models")
    with textgen.load("mine", tmp_path / "models") as model:
        assert model.unknown_characters("xay") == ["x", "y"]
        assert "x" not in model.generate("a", temperature=5.0, seed=0, max_new_tokens=200).text

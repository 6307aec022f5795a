"""Runs on a small corpus, up to the first step."""

import pytest

import textgen
from textgen.config import CorpusConfig, ModelConfig, RunConfig, TrainingConfig


@pytest.fixture
def config():
    return RunConfig(
        corpus=CorpusConfig(split_documents="file", validation_split=0.3),
        model=ModelConfig("lstm", num_layers=1, hidden_dim=8, context_length=8),
        training=TrainingConfig(batch_size=4),
    )


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for index in range(4):
        (folder / f"{index}.txt").write_text(f"document {index}: " + "abcde " * 20, "utf-8")
    return folder


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


@pytest.fixture
def begin(corpus, config, tmp_path):
    """Begin to train on the corpus, up to the first step."""

    def begin(config=config, models=tmp_path, **parts):
        phases = Phases()
        with pytest.raises(KeyboardInterrupt):
            textgen.train([corpus], "mine", config, models, reporter=phases, **parts)
        return phases

    return begin

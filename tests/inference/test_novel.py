"""Texts that copy nothing long from the corpus."""

import numpy as np
import pytest

from textgen.config import SamplingConfig
from textgen.errors import ConfigError, GenerationError
from textgen.originality import CorpusIndex

LENGTH = 10
SETTINGS = {"max_new_tokens": 30, "temperature": 0.4}


@pytest.fixture
def parrot(model, monkeypatch):
    """A model whose corpus is what it likes to write; its corpus, too."""
    texts = [model.generate("a", seed=seed, **SETTINGS).text for seed in range(6)]
    corpus = "\0".join(f"a{text}" for text in texts)
    index = CorpusIndex.of(corpus.encode())
    monkeypatch.setitem(vars(model._decoder), "_index", index)
    return model, corpus


def copies(text, corpus):
    """Where a text copies, by trying everything."""
    ends = range(LENGTH, len(text) + 1)
    return [end for end in ends if text[end - LENGTH : end] in corpus]


def test_nothing_of_that_length_stands_in_the_corpus(parrot):
    model, corpus = parrot
    num_copies = 0
    for seed in range(4, 8):
        free = model.generate("a", seed=seed, **SETTINGS).text
        found = model.generate("a", seed=seed, novel=LENGTH, **SETTINGS)
        assert not copies(f"a{found.text}", corpus)
        assert found.finish_reason == "length"
        # It is the same text until it would have copied.
        place = next(iter(copies(f"a{free}", corpus)), len(free) + 1)
        assert found.text[: place - 4] == free[: place - 4]
        num_copies += place <= len(free)
    assert num_copies >= 2


def test_a_text_is_the_same_alone_in_a_batch_and_streamed(parrot):
    model, _ = parrot
    rows = model.generate_batch(["a"] * 3, seed=4, novel=LENGTH, **SETTINGS)
    for row in rows:
        alone = model.generate("a", seed=row.seed, novel=LENGTH, **SETTINGS)
        assert alone.text == row.text
        assert "".join(model.stream("a", seed=row.seed, novel=LENGTH, **SETTINGS)) == row.text


def test_only_the_rows_that_copied_are_decoded_again(parrot, monkeypatch):
    model, corpus = parrot
    prompts = ["a"] * 4
    free = model.generate_batch(prompts, seed=4, **SETTINGS)
    num_copying = sum(bool(copies(f"a{row.text}", corpus)) for row in free)
    run, sizes = model.saved_model.run_tensors, []

    def watched(signature, **inputs):
        sizes.append(len(run_inputs(inputs)))
        return run(signature, **inputs)

    def run_inputs(inputs):
        value = inputs.get("state_followed", prompts)
        return value if isinstance(value, (list, np.ndarray)) else value.numpy()

    monkeypatch.setattr(model.saved_model, "run_tensors", watched)
    novel = model.generate_batch(prompts, seed=4, novel=LENGTH, **SETTINGS)
    assert 0 < num_copying < len(prompts)
    assert sizes[:3] == [len(prompts), len(prompts), num_copying]
    for before, after in zip(free, novel, strict=True):
        assert (before.text == after.text) == (not copies(f"a{before.text}", corpus))


def test_a_copy_that_begins_in_the_prompt_is_not_continued(parrot):
    model, corpus = parrot
    prompt = corpus[: LENGTH + 5]
    text = model.generate(prompt, seed=0, novel=LENGTH, **SETTINGS).text
    assert [end for end in copies(prompt + text, corpus) if end > len(prompt)] == []


def test_other_constraints_hold_too(parrot):
    model, corpus = parrot
    free = model.generate("a", seed=6, novel=LENGTH, **SETTINGS).text
    avoided = free[12:14]
    text = model.generate("a", seed=6, novel=LENGTH, avoid=[avoided], **SETTINGS).text
    assert avoided not in text
    assert not copies(f"a{text}", corpus)


def test_without_a_corpus_it_says_so(model):
    with pytest.raises(GenerationError, match=r"novel needs the corpus of \w+"):
        model.generate("a", novel=LENGTH)


def test_it_does_not_go_with_a_shape():
    with pytest.raises(ConfigError, match="novel cannot be combined with regex, json_schema"):
        SamplingConfig(novel=20, regex="a+")

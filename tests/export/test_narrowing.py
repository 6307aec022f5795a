"""Weights in fewer bits: the same model, nearly, in less space."""

import numpy as np
import pytest
import tensorflow as tf

from textgen.errors import ConfigError, ModelDamagedError
from textgen.export import write_narrow
from textgen.run import Parent
from textgen.runtime import SavedModel

TEXTS = ["abcd", "", "é。字😀 abc."]


@pytest.fixture(scope="module", params=[0.0, 0.5])
def narrow(request, exported, tmp_path_factory):
    """The model in int8, with all weights or half of them."""
    folder = tmp_path_factory.mktemp("narrow") / "1"
    write_narrow(exported.path, folder, "int8", request.param)
    return folder


def weights_of(folder, exported):
    config = exported.generator.decoder.config
    return Parent.read("x", 1, folder, config, exported.tokenizer).weights()


def set_weights(decoder, weights):
    for name, value in weights.items():
        decoder.weights[name].assign(value)


def test_it_computes_with_the_weights_that_the_file_stands_for(exported, narrow):
    own, widened = weights_of(exported.path, exported), weights_of(narrow, exported)
    assert own.keys() == widened.keys()
    assert any(not np.array_equal(own[name], widened[name]) for name in own)
    decoder = exported.generator.decoder
    set_weights(decoder, widened)
    try:
        ids, _ = exported.generator._encode(tf.constant(TEXTS))
        expected = exported.generator.score_tokens(ids)
    finally:
        set_weights(decoder, own)
    with SavedModel(narrow) as model:
        found = model.run("score_tokens", token_ids=ids.numpy())
        written = model.run("generate", prompts=TEXTS, max_new_tokens=[3])["text"]
    for name, value in found.items():
        assert value == pytest.approx(getattr(expected, name).numpy(), rel=1e-4, abs=1e-4)
    assert len(written) == len(TEXTS)


def test_tensorflow_loads_it(narrow):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(narrow))
        score = loaded.signature_def["score"]
        theirs = session.run(score.outputs["logprob"].name, {score.inputs["texts"].name: TEXTS})
    with SavedModel(narrow) as model:
        assert model.run("score", texts=TEXTS)["logprob"] == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_of_the_bits_lose_less(exported, tmp_path, precision):
    write_narrow(exported.path, tmp_path / "1", precision)
    own = weights_of(exported.path, exported)
    for name, value in weights_of(tmp_path / "1", exported).items():
        assert value == pytest.approx(own[name], rel=2.0**-8)
    with SavedModel(tmp_path / "1") as model:
        assert model.run("score", texts=TEXTS)["logprob"].shape == (len(TEXTS),)


def test_half_of_the_weights_take_little_more_than_half_of_the_space(exported, tmp_path):
    write_narrow(exported.path, tmp_path / "1", None, 0.5)
    own, left = weights_of(exported.path, exported), weights_of(tmp_path / "1", exported)
    for name, value in left.items():
        assert np.isin(value, [0, *own[name].ravel()]).all()
    assert any((value == 0).mean() == 0.5 for value in left.values())
    sizes = [
        sum(path.stat().st_size for path in (folder / "variables").glob("*.data-*"))
        for folder in (exported.path, tmp_path / "1")
    ]
    assert sizes[1] < 0.75 * sizes[0]
    with SavedModel(tmp_path / "1") as model:
        assert model.run("score", texts=TEXTS)["logprob"].shape == (len(TEXTS),)


def test_a_narrow_model_is_not_narrowed_again(narrow, tmp_path):
    with pytest.raises(ConfigError, match=r"must have float32 weights\. Received: float32, int"):
        write_narrow(narrow, tmp_path / "1", "float16")


def test_damaged_weights_are_one_sentence(exported, tmp_path):
    write_narrow(exported.path, tmp_path / "1", "float16")
    index = tmp_path / "1" / "variables" / "variables.index"
    index.write_bytes(index.read_bytes()[:-40])
    with pytest.raises(ModelDamagedError, match="the weights cannot be read"):
        write_narrow(tmp_path / "1", tmp_path / "2", "int8")

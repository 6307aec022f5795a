"""The checks: our models pass them all, and each finds what it is there for."""

import itertools
import json
import os

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from textgen.catalog import CARD_PATH, DIGESTS_PATH, REQUEST_PATH, TOKENIZER_PATH, WARMUP_PATH
from textgen.digests import record_digests
from textgen.runtime import SavedModel
from textgen.serving.checks import prove
from textgen.serving.checks.model_checks import MODEL_CHECKS
from textgen.serving.checks.proof import check
from textgen.serving.checks.result import FlawError
from textgen.tokenizer import CharacterTokenizer

TITLES = {
    "operations": "only operations that textgen exports, without XLA",
    "signatures": "the documented signatures, with their types",
    "batch": "every input and output has the batch first",
    "defaults": "every input but the prompts has a default",
    "digests": "no file has changed since it was written",
    "card": "the model card is complete",
    "tokenizer": "the tokenizer is the one in the model card",
    "load": "TensorFlow loads it with XLA forbidden",
    "warmup": "the warmup requests run, at least one per signature",
    "sample": "the sample of a REST request runs",
}


def failures(path):
    return {result.title: result.failure for result in prove(path) if result.failure}


def failures_of_files(path):
    """Those found before the model is loaded, which would forbid XLA in this process."""
    results = itertools.islice(check(path), list(TITLES).index("load"))
    return {result.title: result.failure for result in results if result.failure}


def edit(path, change):
    """Change the graph of a SavedModel; `change` gets its MetaGraphDef."""
    file = path / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(saved_model.meta_graphs[0])
    file.write_bytes(saved_model.SerializeToString())


def test_an_exported_model_passes(exported):
    results = list(prove(exported.path))
    assert [result for result in results if result.failure] == []
    assert len(results) >= 15
    assert set(TITLES.values()) <= {result.title for result in results}


def test_what_is_no_saved_model_fails_without_being_asked(tmp_path):
    results = list(prove(tmp_path))
    assert {result.title for result in results} == {
        title for name, title in TITLES.items() if name not in ("warmup", "sample")
    }
    # Nothing says how the files were written.
    assert [result.title for result in results if not result.failure] == [TITLES["digests"]]


@pytest.mark.parametrize("op", ["XlaDynamicUpdateSlice", "CudnnRNN", "PyFunc", "Text>Op"])
def test_operations_that_a_server_lacks_are_named(copy, op):
    edit(copy, lambda graph: graph.graph_def.node.add(name="foreign", op=op))
    assert op in failures_of_files(copy)[TITLES["operations"]]


def test_a_compiled_function_is_named(copy):
    @tf.function(jit_compile=True)
    def doubled(x):
        return 2 * x

    library = tf.Graph()
    with library.as_default():
        doubled(tf.compat.v1.placeholder(tf.float32, [None]))
    edit(copy, lambda graph: graph.graph_def.library.MergeFrom(library.as_graph_def().library))
    assert "doubled" in failures_of_files(copy)[TITLES["operations"]]


@pytest.mark.parametrize("name", ["score", "beam_search", "contrastive_search"])
def test_a_signature_that_is_missing_is_named(copy, name):
    edit(copy, lambda graph: graph.signature_def.pop(name))
    assert name in failures_of_files(copy)[TITLES["signatures"]]


def test_a_default_that_is_missing_is_named(copy):
    edit(copy, lambda graph: graph.signature_def["generate"].defaults.pop("top_k"))
    assert "top_k" in failures_of_files(copy)[TITLES["defaults"]]


def test_an_output_without_a_batch_is_named(copy):
    def drop(graph):
        graph.signature_def["score"].outputs["logprob"].tensor_shape.dim.pop()

    edit(copy, drop)
    assert "score.logprob" in failures_of_files(copy)[TITLES["batch"]]


def test_a_file_that_has_changed_is_named(copy):
    record_digests(copy, copy / DIGESTS_PATH)
    edit(copy, lambda graph: graph.graph_def.node.add(name="another", op="NoOp"))
    assert "saved_model.pb has changed" in failures_of_files(copy)[TITLES["digests"]]


def test_a_card_that_lacks_something_is_told(copy):
    card = json.loads((copy / CARD_PATH).read_text("utf-8"))
    del card["corpus"]["digest"]
    (copy / CARD_PATH).write_text(json.dumps(card), "utf-8")
    assert "digest" in failures_of_files(copy)[TITLES["card"]]


def test_a_card_whose_numbers_are_none_is_told(copy):
    card = json.loads((copy / CARD_PATH).read_text("utf-8"))
    card["bits_per_character"] = float("nan")
    (copy / CARD_PATH).write_text(json.dumps(card), "utf-8")
    assert "bits_per_character is nan" in failures_of_files(copy)[TITLES["card"]]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda file: file.unlink(), "there is no tokenizer file"),
        (lambda file: file.write_text("null"), "damaged"),
        (CharacterTokenizer.learn(["another"]).save, "the card describes"),
    ],
)
def test_a_tokenizer_that_is_not_the_models_is_told(copy, damage, told):
    damage(copy / TOKENIZER_PATH)
    assert told in failures_of_files(copy)[TITLES["tokenizer"]]


def test_damaged_variables_fail_the_load(copy):
    for file in (copy / "variables").glob("*.data*"):
        file.write_bytes(b"")
    assert TITLES["load"] in failures(copy)


def test_requests_that_fail_are_told(copy):
    (copy / WARMUP_PATH).write_bytes(b"no record")
    (copy / REQUEST_PATH).write_text('{"signature_name": "generate", "instances": [{}]}')
    found = failures(copy)
    assert "missing or damaged" in found[TITLES["warmup"]]
    assert "inputs" in found[TITLES["sample"]]


@pytest.mark.parametrize("name", ["generate", "beam_search", "contrastive_search"])
def test_an_answer_that_a_batch_spoils_is_named(exported, monkeypatch, name):
    with SavedModel(exported.path) as model:
        run = model.run

        def spoil(signature, **inputs):
            result = run(signature, **inputs)
            if signature == name and len(inputs["prompts"]) > 1:
                floats = {k: np.full_like(v, np.nan) for k, v in result.items() if v.dtype == "f"}
                result = {**result, **floats, "num_tokens": result["num_tokens"] + 1}
            return result

        monkeypatch.setattr(model, "run", spoil)
        for title in (
            "a batch returns what its rows return alone",
            "merged requests return what they return alone",
            "every output can be sent as JSON",
        ):
            with pytest.raises(FlawError, match=name):
                MODEL_CHECKS[title](model)


@pytest.mark.parametrize(
    "title",
    ["a batch returns what its rows return alone", "merged requests return what they return alone"],
)
def test_one_draw_that_rounding_decided_is_no_flaw(exported, monkeypatch, title):
    with SavedModel(exported.path) as model:
        run, batches = model.run, []

        def round_otherwise(signature, **inputs):
            result = run(signature, **inputs)
            if signature == "generate" and len(inputs["prompts"]) > 1:
                batches.append(signature)
                if len(batches) == 1:
                    result["text_bytes"][0] += b"?"
            return result

        monkeypatch.setattr(model, "run", round_otherwise)
        MODEL_CHECKS[title](model)
        assert len(batches) == 2


def test_a_crash_is_a_failure(monkeypatch, tmp_path):
    # As if TensorFlow had aborted the process.
    monkeypatch.setattr("textgen.serving.checks.proof._send_results", _crash)
    (result,) = prove(tmp_path)
    assert result.failure == "it ended with 6"


def _crash(path, sender):
    os._exit(6)

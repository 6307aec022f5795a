"""The warmup requests: a server can parse them, and none may fail."""

import numpy as np
import pytest
import tensorflow as tf

from textgen.catalog import WARMUP_PATH
from textgen.errors import ModelDamagedError
from textgen.runtime import SavedModel
from textgen.serving.tf_serving.warmup import read_warmup


@pytest.fixture(scope="module")
def model(exported):
    with SavedModel(exported.path) as loaded:
        yield loaded


def test_every_signature_is_warmed_up(model, exported):
    requests = read_warmup(exported.path / WARMUP_PATH)
    assert {request.signature for request in requests} == set(model.signatures)


def test_every_request_runs_and_writes(model, exported):
    for request in read_warmup(exported.path / WARMUP_PATH):
        result = model.run(request.signature, **request.inputs)
        if "finish_reason" in result:
            assert result["finish_reason"] != b"error"
            assert result["num_tokens"] == (200 if request.signature == "serving_default" else 4)


def test_requests_hold_every_input_in_one_row(model, exported):
    # A server with batching takes only inputs of the same first dimension.
    for request in read_warmup(exported.path / WARMUP_PATH):
        assert set(request.inputs) == set(model.signatures[request.signature].inputs)
        assert {len(value) for value in request.inputs.values()} == {1}


def test_one_request_of_generate_has_controls_on(exported):
    plain, steered = (
        request.inputs
        for request in read_warmup(exported.path / WARMUP_PATH)
        if request.signature == "generate"
    )
    assert sum(not np.array_equal(plain[name], steered[name]) for name in plain) > 8


def test_the_real_messages_say_the_same(exported):
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    file = str(exported.path / WARMUP_PATH)
    records = [record.numpy() for record in tf.data.TFRecordDataset(file)]
    requests = read_warmup(exported.path / WARMUP_PATH)
    for record, request in zip(records, requests, strict=True):
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        parsed = log.predict_log.request
        assert parsed.model_spec.signature_name == request.signature
        assert set(parsed.inputs) == set(request.inputs)
        for name, tensor in parsed.inputs.items():
            assert np.array_equal(tf.make_ndarray(tensor), request.inputs[name])
        # What was put together by hand is what protobuf would write: nothing more or less.
        log.DiscardUnknownFields()
        assert len(log.SerializeToString()) == len(record)


def test_a_damaged_file_is_an_error(copy):
    file = copy / WARMUP_PATH
    content = bytearray(file.read_bytes())
    for damaged in (content[:-1], content[:5], content[:40] + b"\0" + content[41:]):
        file.write_bytes(damaged)
        with pytest.raises(ModelDamagedError, match=r"cut off|checksum"):
            read_warmup(file)
    file.unlink()
    with pytest.raises(ModelDamagedError, match="missing"):
        read_warmup(file)

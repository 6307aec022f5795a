"""TensorFlow Serving's REST API over real sockets: its requests, responses and errors."""

import base64
import contextlib
import json
import time

import numpy as np
import pytest

from tests.serving.tf_serving.rest import read_request, write_response
from tests.serving.tf_serving.test_rest import REQUEST, RESPONSE
from tests.waiting import wait_until
from textgen.catalog import REQUEST_PATH
from textgen.inference.stream import ChunkDecoder
from textgen.serving.http.limits import Limits
from textgen.serving.http.predict import predict
from textgen.serving.http.predict_blocks import generate

PREDICT = "/v1/models/transformer:predict"


@pytest.fixture
def sample(exported_models):
    path = exported_models["transformer"].path
    return json.loads((path / REQUEST_PATH).read_text("utf-8"))


def test_a_golden_request_has_its_golden_response(server, sample):
    sample["instances"][0] |= REQUEST
    (prediction,) = server.post(PREDICT, sample).json["predictions"]
    (wanted,) = json.loads(RESPONSE)["predictions"]
    for name in ("logprobs", "top_logprobs"):
        np.testing.assert_allclose(prediction.pop(name), wanted.pop(name), atol=1e-4)
    assert prediction == wanted


def requests(sample):
    (row,) = sample["instances"]
    row = {**row, "seed": 5, "max_new_tokens": 8, "logprobs": 2}
    b64 = {"b64": base64.b64encode("字".encode()).decode()}
    yield {**sample, "instances": [row, {**row, "prompts": b64, "stop": ["a"]}]}
    yield {"signature_name": "generate", "inputs": {k: [v] for k, v in row.items()}}
    yield {"signature_name": "score", "instances": ["ab", "", "字字"]}
    yield {"signature_name": "score", "inputs": ["ab", b64]}
    yield {"signature_name": "score", "inputs": {"texts": [b64]}}
    yield {"signature_name": "score", "instances": [{"texts": "a"}, {"texts": "b"}]}


def test_responses_are_those_of_tensorflow_serving(server, sample, generator):
    for request in requests(sample):
        content = json.dumps(request).encode()
        signature, inputs = read_request(content, generator.saved_model.signatures)
        outputs = generator.saved_model.run(signature, **inputs)
        wanted = json.loads(write_response(outputs, "instances" in request))
        assert server.post(PREDICT, request).json == wanted


@pytest.mark.parametrize(
    ("request_json", "message"),
    [
        ("", "JSON Parse error: The document is empty"),
        ("{", "JSON Parse error: Invalid value. at offset: 1"),
        ("[1]", "JSON Value: [1] Is not object"),
        ("{}", "Missing 'inputs' or 'instances' key"),
        ('{"instances": []}', "JSON Value: {\"instances\": []} No values in 'instances' array"),
        (
            '{"signature_name": "x", "inputs": 1}',
            'Serving signature name: "x" not found in signature def',
        ),
        (
            '{"signature_name": "generate", "instances": ["a"]}',
            "instances is a plain list, but expecting",
        ),
        (
            '{"signature_name": "generate", "inputs": ["a"]}',
            "inputs is a plain value/list, but expecting",
        ),
        (
            '{"signature_name": "generate", "inputs": {}}',
            "Missing named input: ",
        ),
        ('{"instances": [{"x": "a"}]}', "Failed to process element: 0 of 'instances' list."),
        ('{"instances": ["a", {"prompts": "a"}]}', "Expecting value/list but got object at item 1"),
        ('{"instances": [{"prompts": "a"}, "a"]}', "Expecting object but got list at item 1"),
        ('{"instances": [1]}', "JSON Value: 1 Type: Number is not of expected type: string"),
        ('{"inputs": [null]}', "JSON Value: null Type: Null is not of expected type: string"),
        ('{"inputs": [{"b64": "%"}]}', "Unable to base64 decode"),
        ('{"inputs": [["a"], ["b", "c"]]}', "Encountered list at unexpected size: 2 at level: 1"),
        ('{"inputs": ["a", ["b"]]}', "Encountered list at unexpected level: 1 expected < 1"),
        ('{"inputs": [["a"]]}', "must have shape"),
    ],
)
def test_errors_are_those_of_tensorflow_serving(server, request_json, message):
    reply = server.post(PREDICT, request_json.encode())
    assert reply.status == 400
    assert message in reply.json["error"]


def test_a_request_may_not_ask_for_too_much(generator, sample):
    sample["instances"][0] |= {"max_new_tokens": 5000}
    with pytest.raises(Exception, match="max_new_tokens must be at most"):
        predict(generator.saved_model, json.dumps(sample).encode(), Limits(), lambda: False)
    many = json.dumps({"instances": ["a"] * 129}).encode()
    with pytest.raises(Exception, match="at most 128 texts"):
        predict(generator.saved_model, many, Limits(), lambda: False)


def test_blocks_together_are_what_one_call_generates(generator):
    prompts = ["a", "", "ab cd", "字"]
    lengths = np.array([5, 0, 40, 23], np.int32)
    inputs = {"prompts": prompts, "seed": np.arange(4), "max_new_tokens": lengths}
    inputs |= {"logprobs": np.array([2, -1, 0, 3], np.int32), "stop": np.array([["b"]], object)}
    wanted = generator.saved_model.run("generate", **inputs)
    found = generate(generator.saved_model, inputs, lambda: False)
    assert {*found} == {*wanted}
    for name, value in wanted.items():
        if value.dtype.kind == "f":
            np.testing.assert_allclose(found[name], value, atol=1e-4)
        else:
            np.testing.assert_array_equal(found[name], value)


def test_a_client_that_disconnects_ends_its_texts(server, slow_chunks, sample):
    sample["instances"][0] |= {"max_new_tokens": 4096}
    with contextlib.closing(server.connect()) as connection:
        connection.request("POST", PREDICT, json.dumps(sample))
        wait_until(lambda: slow_chunks)
    # The only thread of such requests is free again long before the text would have ended.
    assert server.post(PREDICT, {"signature_name": "score", "instances": ["a"]}).status == 200
    assert len(slow_chunks) < 4096


@pytest.fixture
def slow_chunks(monkeypatch):
    """The chunks that were decoded, each of which takes a while and has one token."""
    chunks, decode = [], ChunkDecoder.decode

    def decode_slowly(decoder, num_tokens):
        chunks.append(num_tokens)
        time.sleep(0.1)
        return decode(decoder, 1)

    monkeypatch.setattr(ChunkDecoder, "decode", decode_slowly)
    return chunks


def test_versions_have_paths_of_their_own(server):
    body = {"signature_name": "score", "instances": ["ab"]}
    reply = server.post("/v1/models/transformer/versions/1:predict", body)
    assert reply.json == server.post(PREDICT, body).json
    status = server.get("/v1/models/transformer/versions/1").json["model_version_status"]
    assert status == [
        {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]


def test_metadata_describes_the_signatures(server):
    answer = server.get("/v1/models/transformer/metadata").json
    assert answer["model_spec"] == {"name": "transformer", "signature_name": "", "version": "1"}
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert signatures["score"]["inputs"]["texts"] == {
        "dtype": "DT_STRING",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
        "name": "texts:0",
    }
    assert signatures["score"]["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/v1/models/none:predict", 404, "Servable not found for request: Latest(none)"),
        (
            *("POST", "/v1/models/lstm/versions/7:predict", 404),
            "Servable not found for request: Specific(lstm, 7)",
        ),
        ("GET", "/v1/models/lstm/versions/7", 404, "Could not find version 7 of model lstm"),
        (
            "POST",
            "/v1/models/lstm:classify",
            400,
            "Malformed request: POST /v1/models/lstm:classify",
        ),
    ],
)
def test_paths_that_lead_nowhere(server, method, path, status, message):
    body = {"instances": ["a"]} if method == "POST" else None
    reply = server.request(method, path, body)
    assert (reply.status, reply.json["error"]) == (status, message)

"""gRPC: clients of TensorFlow Serving, with its own messages, get what the model writes."""

import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving.apis.prediction_service_pb2_grpc")

import grpc
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from tests.serving.tf_serving.prediction_service import serving
from tests.waiting import PATIENCE

CLIENT = Path(__file__).parents[3] / "examples" / "serving" / "client.py"


@pytest.fixture(scope="module")
def exported(exported_models):
    return exported_models["transformer"]


@pytest.fixture(scope="module")
def address(exported):
    with serving("mine", exported.path) as address:
        yield address


@pytest.fixture(scope="module")
def stub(address):
    with grpc.insecure_channel(address) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def ask(stub, signature, outputs=(), **inputs):
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name, request.model_spec.signature_name = "mine", signature
    for name, value in inputs.items():
        dtype = tf.int64 if name == "seed" else None
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value, dtype))
    return {
        k: tf.make_ndarray(v) for k, v in stub.Predict(request, timeout=PATIENCE).outputs.items()
    }


def test_prompts_alone_are_enough(stub):
    answer = ask(stub, "generate", prompts=["a", "字"])
    assert answer["num_tokens"].tolist() == [200, 200]
    assert set(answer) == set(ask(stub, "", prompts=["a"]))  # serving_default


def test_every_control_reaches_the_model(stub, exported):
    controls = {
        "max_new_tokens": 20,
        "temperature": 0.9,
        "top_k": 5,
        "top_p": 0.9,
        "min_p": 0.01,
        "repetition_penalty": 1.2,
        "presence_penalty": 0.1,
        "no_repeat_ngram_size": 3,
        "seed": 11,
        "logprobs": 2,
    }
    lists = {"stop": [["。", "dd"]], "banned": [["😀"]], "bias_text": [["b"]], "bias": [[0.5]]}
    given = {name: [value] for name, value in controls.items()}
    answer = ask(stub, "generate", prompts=["ab"], **given, **lists)
    options = {name: value for name, value in controls.items() if name != "max_new_tokens"}
    wanted = exported.write(["ab"], n=20, **options, **{k: v[0] for k, v in lists.items()})
    assert answer["text_bytes"].tolist() == wanted.text_bytes.numpy().tolist()
    assert answer["token_ids"].tolist() == wanted.token_ids.numpy().tolist()
    assert answer["top_token_ids"].tolist() == wanted.top_token_ids.numpy().tolist()


def test_only_the_outputs_asked_for_come_back(stub):
    assert set(ask(stub, "generate", ["text"], prompts=["a"], max_new_tokens=[3])) == {"text"}


def test_an_unknown_input_is_an_error_and_the_next_request_is_answered(stub):
    with pytest.raises(grpc.RpcError) as caught:
        ask(stub, "generate", prompts=["a"], length=[3])
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert ask(stub, "score", texts=["ab"])["num_tokens"] == [2]


def test_metadata_tells_the_signatures(stub):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "mine"
    response = stub.GetModelMetadata(request, timeout=PATIENCE)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "generate", "score"} <= set(signatures.signature_def)


@pytest.mark.slow
def test_the_example_writes_and_streams_the_same_text(address):
    command = [sys.executable, str(CLIENT), address, "mine", "ab"]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    output = done.stdout.decode("utf-8")
    half = len(output) // 2
    assert output[:half] == output[half:]
    assert half > 80

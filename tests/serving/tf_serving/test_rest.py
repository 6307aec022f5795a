"""REST: the signatures can be asked, and can answer, in TensorFlow Serving's JSON."""

import base64
import json

import numpy as np
import pytest

from tests.serving.tf_serving.rest import RestError, read_request, write_response
from textgen.catalog import REQUEST_PATH
from textgen.runtime import SavedModel

OUTPUTS = {
    *("text", "text_bytes", "token_ids", "num_tokens", "finish_reason"),
    *("logprobs", "top_token_ids", "top_logprobs"),
}


@pytest.fixture(scope="module")
def model(exported):
    with SavedModel(exported.path) as loaded:
        yield loaded


@pytest.fixture
def sample(exported):
    return json.loads((exported.path / REQUEST_PATH).read_text("utf-8"))


def post(model, request):
    content = request if isinstance(request, bytes) else json.dumps(request).encode()
    signature, inputs = read_request(content, model.signatures)
    answer = write_response(model.run(signature, **inputs), b'"instances"' in content)
    return json.loads(answer)


def test_prompts_in_rows(model):
    answer = post(model, {"instances": ["a", "字"]})
    assert [set(row) for row in answer["predictions"]] == [OUTPUTS, OUTPUTS]
    assert answer["predictions"][0]["num_tokens"] == 200


def test_prompts_in_columns(model):
    for prompts in (["a", "字"], {"prompts": ["a", "字"]}):
        answer = post(model, {"inputs": prompts})
        assert set(answer["outputs"]) == OUTPUTS
        assert answer["outputs"]["num_tokens"] == [200, 200]


def test_bytes_come_and_go_as_base64(model):
    prompt = {"b64": base64.b64encode("字".encode()).decode()}
    answer = post(model, {"inputs": {"prompts": [prompt]}})["outputs"]
    (text_bytes,) = answer["text_bytes"]
    assert base64.b64decode(text_bytes["b64"]).decode() == answer["text"][0]


def test_the_sample_request_is_answered_in_both_formats(model, sample):
    (row,) = sample["instances"]
    row |= {"seed": 5, "max_new_tokens": 20}
    (prediction,) = post(model, sample)["predictions"]
    columns = {name: [value] for name, value in row.items()}
    answer = post(model, {"signature_name": "generate", "inputs": columns})["outputs"]
    assert {name: [value] for name, value in prediction.items()} == answer
    assert prediction["num_tokens"] == 20


def test_the_sample_holds_the_defaults_to_the_letter(model, sample):
    (row,) = sample["instances"]
    for name, default in model.signatures["generate"].defaults.items():
        if default.dtype == object:
            texts = [row[name]] if default.ndim == 1 else row[name]
            assert [text.encode() for text in texts] == np.atleast_1d(default[0]).tolist()
        else:
            assert np.array_equal(np.array(row[name], default.dtype), default[0])
    assert row["temperature"] == 0.8


def test_rest_fills_no_default_in(model):
    with pytest.raises(RestError, match="exactly"):
        post(model, {"signature_name": "generate", "instances": [{"prompts": "a"}]})


def test_rows_with_different_controls(model, sample):
    (row,) = sample["instances"]
    rows = [
        {**row, "prompts": "a", "max_new_tokens": 3, "stop": ["", ""], "seed": 1},
        {**row, "prompts": "b", "max_new_tokens": 30, "stop": ["a", "b"], "seed": 2},
    ]
    first, second = post(model, {**sample, "instances": rows})["predictions"]
    assert first["num_tokens"] == 3
    assert second["finish_reason"] == "stop"
    # Rows are of one length in JSON too.
    assert len(first["token_ids"]) == len(second["token_ids"])
    assert first["token_ids"][3:] == [-1] * (len(second["token_ids"]) - 3)


def test_answers_are_valid_json_whatever_is_asked(model, sample):
    (row,) = sample["instances"]
    bad = {"b64": base64.b64encode(b"\xff\x97\x00").decode()}
    hostile = {"prompts": bad, "stop": [bad], "bias_text": ["a"], "bias": [-3.0e38], "logprobs": 3}
    for extra in ({"temperature": 3e38}, {"temperature": 0.0}, {"mirostat_tau": 1e30}):
        asked = {**row, **hostile, **extra, "max_new_tokens": 25}
        (prediction,) = post(model, {**sample, "instances": [asked]})["predictions"]
        assert prediction["finish_reason"] in ("stop", "length")


def test_texts_are_scored(model):
    answer = post(model, {"signature_name": "score", "instances": ["ab", "", "字" * 12]})
    assert [row["num_tokens"] for row in answer["predictions"]] == [2, 0, 12]
    assert answer["predictions"][1]["logprob"] == 0


# What the Transformer of conftest.py, whose weights are fixed, answers.
REQUEST = {
    "prompts": "é字",
    "max_new_tokens": 6,
    "temperature": 0.0,
    "no_repeat_ngram_size": 2,
    "bias_text": ["字"],
    "bias": [2.0],
    "logprobs": 1,
}
RESPONSE = """{
  "predictions": [
    {
      "finish_reason": "length",
      "num_tokens": 6,
      "text": "a字字\\n字b",
      "text_bytes": {"b64": "YeWtl+WtlwrlrZdi"},
      "token_ids": [6, 12, 12, 3, 12, 7],
      "top_token_ids": [[1], [5], [1], [1], [1], [1]],
      "logprobs": [-1.844608, -3.355435, -3.619780, -1.877744, -3.408645, -1.992880],
      "top_logprobs": [[-1.384442], [-1.617594], [-1.747100], [-1.506098], [-1.718957], [-1.531318]]
    }
  ]
}"""


def test_a_golden_request_has_its_golden_response(exported_models):
    path = exported_models["transformer"].path
    sample = json.loads((path / REQUEST_PATH).read_text("utf-8"))
    sample["instances"][0] |= REQUEST
    with SavedModel(path) as model:
        (prediction,) = post(model, sample)["predictions"]
    (wanted,) = json.loads(RESPONSE)["predictions"]
    for name in ("logprobs", "top_logprobs"):
        np.testing.assert_allclose(prediction.pop(name), wanted.pop(name), atol=1e-4)
    assert prediction == wanted

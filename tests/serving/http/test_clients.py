"""Clients that people use, over real sockets: whole texts, streams, errors."""

import json
import os
import shutil
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def openai_client(server):
    openai = pytest.importorskip("openai")
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def test_openai_completes(openai_client, generator):
    answer = openai_client.completions.create(
        model="transformer", prompt="ab", max_tokens=20, seed=3, extra_body={"min_p": 0.05}
    )
    wanted = generator.generate("ab", max_new_tokens=20, seed=3, min_p=0.05)
    assert answer.choices[0].text == wanted.text
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 20


def test_openai_streams(openai_client, generator):
    stream = openai_client.completions.create(
        model="transformer", prompt="ab", max_tokens=20, seed=3, stream=True
    )
    pieces = [chunk.choices[0].text for chunk in stream]
    assert "".join(pieces) == generator.generate("ab", max_new_tokens=20, seed=3).text


def test_openai_lists_models(openai_client):
    assert [model.id for model in openai_client.models.list()] == ["transformer", "lstm"]
    assert openai_client.models.retrieve("lstm").owned_by == "textgen"


def test_openai_raises_its_own_errors(openai_client):
    openai = pytest.importorskip("openai")
    with pytest.raises(openai.NotFoundError, match="no model"):
        openai_client.completions.create(model="none", prompt="a")
    with pytest.raises(openai.BadRequestError, match="top_p must be") as raised:
        openai_client.completions.create(model="lstm", prompt="a", top_p=3)
    assert raised.value.param == "top_p"
    with pytest.raises(openai.BadRequestError, match="chat template"):
        openai_client.chat.completions.create(model="lstm", messages=[])


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


def curl(*arguments):
    command = ["curl", "--silent", "--show-error", "--max-time", "60", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


@needs_curl
def test_curl_completes_streams_and_shows_errors(server, generator):
    url = f"{server.url}/v1/completions"
    body = {"prompt": "ab", "max_tokens": 20, "seed": 3}
    wanted = generator.generate("ab", max_new_tokens=20, seed=3).text
    answer = json.loads(curl(url, "-d", json.dumps(body)))
    assert answer["choices"][0]["text"] == wanted
    lines = curl("-N", url, "-d", json.dumps({**body, "stream": True})).decode().splitlines()
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert "".join(event["choices"][0]["text"] for event in events) == wanted
    error = json.loads(curl(url, "-d", json.dumps({"n": 0})))["error"]
    assert error["param"] == "n"


@needs_curl
def test_curl_of_the_documentation_of_tensorflow_serving(server):
    url = f"{server.url}/v1/models/transformer:predict"
    answer = json.loads(curl("-d", '{"instances": ["ROMEO:"]}', url))
    assert answer["predictions"][0]["num_tokens"] == 200


def test_langchain_completes_and_streams(server, generator):
    langchain = pytest.importorskip("langchain_openai")
    llm = langchain.OpenAI(
        base_url=f"{server.url}/v1",
        api_key="none",
        model="transformer",
        max_tokens=20,
        seed=3,
        temperature=0.8,
        max_retries=0,
    )
    wanted = generator.generate("ab", max_new_tokens=20, seed=3).text
    assert llm.invoke("ab") == wanted
    assert "".join(llm.stream("ab")) == wanted
    with pytest.raises(Exception, match="top_p must be"):
        llm.bind(top_p=3).invoke("ab")


def test_llm_completes_streams_and_shows_errors(server, generator, tmp_path):
    pytest.importorskip("llm")
    model = {"api_base": f"{server.url}/v1", "completion": True}
    models = [
        {"model_id": "mine", "model_name": "transformer", **model},
        {"model_id": "gone", "model_name": "none", **model},
    ]
    # JSON is YAML.
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps(models), "utf-8")

    def llm(*arguments):
        command = [sys.executable, "-m", "llm", "prompt", "ab", *arguments]
        settings = {"LLM_USER_PATH": str(tmp_path), "LLM_LOAD_PLUGINS": ""}
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **settings}
        )

    wanted = generator.generate("ab", max_new_tokens=20, seed=3).text
    options = ["-o", "max_tokens", "20", "-o", "seed", "3", "--no-log"]
    for stream in ([], ["--no-stream"]):
        result = llm("-m", "mine", *options, *stream)
        assert result.stdout.removesuffix("\n") == wanted, result.stderr
    result = llm("-m", "gone")
    assert result.returncode == 1
    assert "no model 'none'" in result.stderr


def test_lm_eval_finds_the_log_likelihoods_of_score(server, generator):
    pytest.importorskip("lm_eval")
    from lm_eval.api.instance import Instance
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    model = LocalCompletionsAPI(
        base_url=f"{server.url}/v1/completions", model="transformer", tokenizer_backend="remote"
    )
    pairs = [("ab", " cd"), ("", "ab"), ("字", "字。a")]
    requests = [Instance("loglikelihood", {}, pair, index) for index, pair in enumerate(pairs)]
    for (context, continuation), (logprob, _) in zip(
        pairs, model.loglikelihood(requests, disable_tqdm=True), strict=True
    ):
        wanted = generator.score(context + continuation).logprob - generator.score(context).logprob
        assert logprob == pytest.approx(wanted, abs=1e-4)

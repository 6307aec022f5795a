"""The other routes: models, tokenizer, health, figures, documentation, access."""

import re

import pytest

from tests.serving.http.conftest import running
from tests.waiting import wait_until
from textgen.serving.http.limits import Limits
from textgen.serving.http.security import Access


def test_models_are_listed(server):
    answer = server.get("/v1/models").json
    assert answer["object"] == "list"
    assert [model["id"] for model in answer["data"]] == ["transformer", "lstm"]


def test_one_model_has_the_keys_of_both_apis(server):
    answer = server.get("/v1/models/lstm").json
    assert (answer["id"], answer["object"], answer["owned_by"]) == ("lstm", "model", "textgen")
    assert answer["model_version_status"][0]["state"] == "AVAILABLE"
    assert answer["card"]["model"]["architecture"] == "lstm"


def test_an_unknown_model_is_not_found(server):
    reply = server.get("/v1/models/none")
    assert reply.status == 404
    assert reply.json["error"]["code"] == "model_not_found"


def test_text_becomes_tokens_and_comes_back(server, generator):
    answer = server.post("/tokenize", {"prompt": "ab字"}).json
    assert answer["tokens"] == generator.tokenizer.encode("ab字").tolist()
    assert answer["count"] == 3
    assert server.post("/detokenize", {"tokens": answer["tokens"]}).json["prompt"] == "ab字"
    info = server.get("/tokenizer_info").json
    assert server.post("/tokenize", {"prompt": info["eos_token"]}).json["tokens"] == [2]


@pytest.mark.parametrize("tokens", [[-1], [10**9], ["a"], "a", None, [True]])
def test_ids_that_do_not_exist_are_refused(server, tokens):
    reply = server.post("/detokenize", {"tokens": tokens})
    assert reply.status == 400
    assert reply.json["error"]["param"] == "tokens"


def test_chat_says_what_is_missing(server):
    body = {"model": "lstm", "messages": [{"role": "user", "content": "Hi"}]}
    reply = server.post("/v1/chat/completions", body)
    assert reply.status == 400
    assert reply.json["error"]["code"] == "no_chat_template"


def test_health_names_the_versions(server):
    assert server.get("/health").json == {
        "status": "ok",
        "models": {"transformer": 1, "lstm": 1},
    }


def test_figures_are_counted(server):
    server.post("/v1/completions", {"prompt": "a", "max_tokens": 3})
    # A request is counted when its answer is on its way.
    counted = 'route="/v1/completions",status="200"'
    wait_until(lambda: counted in server.get("/metrics").content.decode())
    figures = server.get("/metrics").content.decode()
    for name in ("textgen_requests_total", "textgen_tokens_total", "textgen_batch_rows_bucket"):
        assert re.search(rf"^{name}.* \d", figures, re.MULTILINE)


def test_the_documentation_lists_every_control(server):
    schema = server.get("/openapi.json").json
    body = schema["paths"]["/v1/completions"]["post"]["requestBody"]
    properties = body["content"]["application/json"]["schema"]["properties"]
    assert {"max_tokens", "top_k", "dry_multiplier", "seed"} <= set(properties)
    page = server.get("/docs").content.decode()
    assert "mirostat_tau" in page
    assert "<script" not in page


def test_every_answer_has_security_headers(server):
    for path in ("/", "/health", "/none", "/v1/models"):
        headers = server.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["access-control-allow-origin"] is None


def test_errors_of_the_router_are_error_objects(server):
    assert server.get("/none").json["error"]["type"] == "not_found_error"
    assert server.get("/v1/completions").status == 405


def test_other_host_names_are_refused(server):
    assert server.get("/v1/models", Host="evil.example").status == 403
    assert server.get("/v1/models", Host="localhost:1").status == 200
    assert server.get("/v1/models", Host="[::1]:80").status == 200


def test_pages_of_other_origins_are_refused(server):
    assert server.get("/v1/models", Origin="http://evil.example").status == 403
    assert server.get("/v1/models", Origin=server.url).status == 200


@pytest.fixture(scope="module")
def guarded(exported_models):
    folder = exported_models["transformer"].path.parents[1]
    access = Access(api_keys=["one", "twö"], hosts=[], origins=["https://mine.example"])
    limits = Limits(max_body_bytes=1000)
    with running(folder, ["transformer"], limits, access) as started:
        yield started


def test_a_key_opens_the_api(guarded):
    assert guarded.get("/v1/models").status == 401
    assert guarded.get("/v1/models", Authorization="Bearer wrong").status == 401
    assert guarded.get("/metrics").status == 401
    assert guarded.get("/v1/models", Authorization="Bearer one").status == 200
    assert guarded.get("/v1/models", X_API_Key="one").status == 200
    assert guarded.get("/health").status == 200
    assert guarded.get("/").status == 200


def test_named_origins_may_call(guarded):
    headers = {"Origin": "https://mine.example", "Authorization": "Bearer one"}
    reply = guarded.get("/v1/models", **headers)
    assert reply.headers["access-control-allow-origin"] == "https://mine.example"
    preflight = guarded.request(
        "OPTIONS",
        "/v1/completions",
        Origin="https://mine.example",
        Access_Control_Request_Method="POST",
    )
    assert preflight.status == 200


def test_a_body_may_not_be_too_large(guarded):
    body = {"prompt": "a" * 2000}
    assert guarded.post("/v1/completions", body, Authorization="Bearer one").status == 413


def test_no_answer_holds_a_path(server, exported_models):
    folder = str(exported_models["transformer"].path.parents[1])
    for path in ("/v1/models", "/v1/models/lstm", "/health", "/v1/models/lstm/metadata", "/x"):
        assert folder not in server.get(path).content.decode()

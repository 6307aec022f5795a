"""`/v1/chat/completions`, with a tiny model that was imported."""

import json

import pytest

from tests.pretrained.checkpoints import TEMPLATE, write_gguf
from tests.serving.http.conftest import running
from textgen.importing import import_model
from textgen.inference import load
from textgen.inference.dialogue import Chat

pytest.importorskip("gguf")
openai = pytest.importorskip("openai")

MESSAGES = [{"role": "user", "content": "in the <|im_end|>"}]
GREEDY = {"messages": MESSAGES, "temperature": 0, "max_tokens": 6}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chat")
    import_model(write_gguf(folder / "tiny.gguf"), "tiny", folder / "models")
    return folder / "models"


@pytest.fixture(scope="module")
def server(models):
    with running(models, ["tiny"]) as started:
        yield started


@pytest.fixture(scope="module")
def expected(models):
    with load("tiny", models) as generator, Chat(generator) as chat:
        return "".join(chat.answer(MESSAGES, temperature=0.0, max_new_tokens=6))


def test_an_answer_is_that_of_the_library(server, expected):
    reply = server.post("/v1/chat/completions", GREEDY)
    assert reply.status == 200, reply.content
    assert reply.json["object"] == "chat.completion"
    (choice,) = reply.json["choices"]
    assert choice["message"] == {"role": "assistant", "content": expected}
    assert choice["finish_reason"] in ("stop", "length")
    assert reply.json["usage"]["prompt_tokens"] > 20
    assert server.get("/tokenizer_info").json["chat_template"] == TEMPLATE


def test_a_client_of_openai_gets_the_answer_in_chunks(server, expected):
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    chunks = list(client.chat.completions.create(model="tiny", stream=True, **GREEDY))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == expected


def test_log_probabilities_have_the_shape_of_dialogues(server, expected):
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    asked = {"model": "tiny", **GREEDY, "logprobs": True, "top_logprobs": 3}
    (choice,) = client.chat.completions.create(**asked).choices
    tokens = choice.logprobs.content
    content = bytes(byte for token in tokens for byte in token.bytes)
    assert content.decode(errors="replace") == expected
    for token in tokens:
        best = token.top_logprobs[0]
        assert (token.token, token.logprob) == (best.token, best.logprob)  # greedy
        assert len(token.top_logprobs) == 3
    chunks = list(client.chat.completions.create(stream=True, **asked))
    streamed = [token for chunk in chunks for token in chunk.choices[0].logprobs.content]
    assert [token.token for token in streamed] == [token.token for token in tokens]
    plain = client.chat.completions.create(model="tiny", **GREEDY)
    assert plain.choices[0].logprobs is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"messages": []}, "messages must be a list"),
        ({"messages": None}, "messages must be a list"),
        ({"messages": [{"role": "wizard", "content": ""}]}, "A message must have a content"),
        ({"messages": [{"role": "user", "content": "z" * 200}]}, "must leave room for an answer"),
        ({"logprobs": 2}, "logprobs must be true or false"),
        ({"top_logprobs": 2}, "top_logprobs needs logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "at most 20"),
        ({"logprobs": True, "top_logprobs": "all"}, "logprobs must be"),
        ({"temperature": "hot"}, "temperature"),
    ],
)
def test_what_is_wrong_with_a_request_is_told(server, change, message):
    reply = server.post("/v1/chat/completions", {**GREEDY, **change})
    assert reply.status == 400
    assert message in json.loads(reply.content)["error"]["message"]


def test_completions_and_dialogues_share_a_batch(server):
    reply = server.post("/v1/completions", {"prompt": "<|im_end|>", "max_tokens": 2})
    assert reply.status == 200, reply.content

"""`/v1/completions`: OpenAI's requests and responses, the model's own texts."""

import contextlib
import json
import threading

import pytest

from tests.serving.http.conftest import running
from tests.waiting import wait_until
from textgen.serving.http.chat import parse_chat
from textgen.serving.http.completion_request import parse_completion
from textgen.serving.http.limits import Limits

URL = "/v1/completions"


def complete(server, **body):
    reply = server.post(URL, body)
    assert reply.status == 200, reply.content
    return reply.json


def text_of(server, **body):
    return complete(server, **body)["choices"][0]["text"]


def test_a_seeded_text_is_the_one_the_model_writes_alone(server, generator):
    answer = complete(server, prompt="ab", max_tokens=30, seed=3, temperature=0.9, top_k=8)
    alone = generator.generate("ab", max_new_tokens=30, seed=3, temperature=0.9, top_k=8)
    (choice,) = answer["choices"]
    assert choice == {
        "index": 0,
        "text": alone.text,
        "logprobs": None,
        "finish_reason": "length",
        "seed": 3,
    }
    assert answer["object"] == "text_completion"
    assert answer["model"] == "transformer"
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 30, "total_tokens": 32}


def test_without_a_seed_the_one_that_was_drawn_is_returned(server):
    answer = complete(server, prompt="a", max_tokens=20)["choices"][0]
    again = complete(server, prompt="a", max_tokens=20, seed=answer["seed"])["choices"][0]
    assert again["text"] == answer["text"]


def test_a_stop_string_ends_the_text_and_is_left_out(server, generator):
    alone = generator.generate("a", max_new_tokens=100, seed=1, stop=["。a", "b"])
    assert alone.finish_reason == "stop"
    stop = next(s for s in ("。a", "b") if alone.text.endswith(s))
    for given in (["。a", "b"], ["b", "。a"]):
        answer = complete(server, prompt="a", max_tokens=100, seed=1, stop=given)["choices"][0]
        assert answer["text"] == alone.text.removesuffix(stop)
        assert answer["finish_reason"] == "stop"
    events = server.events({"prompt": "a", "max_tokens": 100, "seed": 1, "stop": ["。a", "b"]})
    assert "".join(e["choices"][0]["text"] for e in events) == alone.text.removesuffix(stop)


def test_a_stream_is_the_whole_text_in_pieces(server):
    body = {"prompt": "b", "max_tokens": 80, "seed": 5, "logprobs": 2}
    whole = complete(server, **body)["choices"][0]
    choices = [event["choices"][0] for event in server.events(body)]
    assert "".join(choice["text"] for choice in choices) == whole["text"]
    for name in whole["logprobs"]:
        joined = [value for choice in choices for value in choice["logprobs"][name]]
        if name in ("token_logprobs", "top_logprobs"):
            assert len(joined) == 80
        else:
            assert joined == whole["logprobs"][name]
    assert [c["finish_reason"] for c in choices] == [None] * (len(choices) - 1) + ["length"]


def test_a_stream_ends_with_the_usage_when_asked(server):
    body = {"prompt": "b", "max_tokens": 9, "stream_options": {"include_usage": True}}
    events = server.events(body)
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["completion_tokens"] == 9
    assert all(event["usage"] is None for event in events[:-1])
    assert "usage" not in server.events({"prompt": "b", "max_tokens": 1})[0]


def test_several_prompts_and_several_texts_for_each(server):
    answer = complete(server, prompt=["a", "b"], n=2, seed=7, max_tokens=10)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    for index, (prompt, seed) in enumerate([("a", 7), ("a", 8), ("b", 7), ("b", 8)]):
        alone = text_of(server, prompt=prompt, seed=seed, max_tokens=10)
        assert answer["choices"][index]["text"] == alone
    fresh = complete(server, prompt=["a", "a"], max_tokens=30)["choices"]
    assert fresh[0]["seed"] != fresh[1]["seed"]


def test_a_prompt_of_token_ids_is_its_text(server, generator):
    ids = generator.tokenizer.encode("ab").tolist()
    text = text_of(server, prompt="ab", seed=1, max_tokens=9)
    assert text_of(server, prompt=ids, seed=1, max_tokens=9) == text
    assert text_of(server, prompt=[ids], seed=1, max_tokens=9) == text
    assert text_of(server, prompt=[1, *ids], seed=1, max_tokens=9) == text
    unknown = text_of(server, prompt="a☃", seed=1, max_tokens=9)
    assert text_of(server, prompt=[ids[0], 0], seed=1, max_tokens=9) == unknown


def test_an_echo_has_the_prompt_with_its_log_probabilities(server, generator):
    answer = complete(
        server, prompt="ab字 c", echo=True, logprobs=3, max_tokens=2, seed=2, temperature=0
    )
    (choice,) = answer["choices"]
    alone = generator.generate("ab字 c", max_new_tokens=2, temperature=0)
    assert choice["text"] == "ab字 c" + alone.text
    logprobs = choice["logprobs"]
    assert logprobs["tokens"] == list(choice["text"])
    assert logprobs["text_offset"] == list(range(7))
    scores = [token.logprob for token in generator.score("ab字 c").logprobs]
    assert logprobs["token_logprobs"][:5] == pytest.approx(scores, abs=1e-4)
    for token, own, top in zip(
        *(logprobs[name] for name in ("tokens", "token_logprobs", "top_logprobs")), strict=True
    ):
        assert top[token] == own
        assert len(top) in (3, 4)
    # Greedy: what was chosen is the most likely.
    assert max(logprobs["top_logprobs"][-1].values()) == logprobs["token_logprobs"][-1]


def test_an_echo_alone_scores_prompts_of_different_lengths(server, generator):
    prompts = ["a", "", "ab cd ab cd ab cd", "字"]
    answer = complete(server, prompt=prompts, echo=True, logprobs=0, max_tokens=0)
    for prompt, choice in zip(prompts, answer["choices"], strict=True):
        assert choice["text"] == prompt
        scores = [token.logprob for token in generator.score(prompt).logprobs]
        assert choice["logprobs"]["token_logprobs"] == pytest.approx(scores, abs=1e-4)
    assert answer["usage"]["completion_tokens"] == 0


def test_a_special_token_at_the_beginning_has_no_log_probability(server, generator):
    ids = [2, *generator.tokenizer.encode("ab").tolist()]
    answer = complete(server, prompt=ids, echo=True, logprobs=1, max_tokens=1)
    logprobs = answer["choices"][0]["logprobs"]
    assert logprobs["tokens"][:3] == ["<end>", "a", "b"]
    assert logprobs["token_logprobs"][0] is logprobs["top_logprobs"][0] is None
    scores = [token.logprob for token in generator.score("ab").logprobs]
    assert logprobs["token_logprobs"][1:3] == pytest.approx(scores, abs=1e-4)


def test_logit_bias_takes_token_ids_or_texts(server, generator):
    token = int(generator.tokenizer.encode("d")[0])
    by_id = text_of(server, prompt="a", max_tokens=5, logit_bias={str(token): 100}, temperature=0)
    by_text = text_of(server, prompt="a", max_tokens=5, logit_bias=[["d", 100]], temperature=0)
    assert by_id == by_text == "ddddd"


def test_a_response_format_is_a_json_schema():
    schema = {"type": "object", "properties": {"a": {"type": "null"}}}
    asked = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    for fields in ({"response_format": asked}, {"json_schema": schema}):
        config = parse_completion(fields, Limits()).config
        assert json.loads(config.json_schema) == schema
    assert parse_completion({"response_format": {"type": "text"}}, Limits()).config.regex is None
    chat = parse_chat({"messages": [], "response_format": asked}, Limits())
    assert chat.request.config.json_schema == config.json_schema


def test_null_and_unknown_fields_are_ignored(server):
    plain = text_of(server, prompt="a", seed=1)
    body = {"prompt": "a", "seed": 1, "user": "me", "nonsense": [1], "stop": None, "suffix": None}
    assert text_of(server, **body, best_of=1, top_p=None, logit_bias=None) == plain


def test_models_are_chosen_by_name(server):
    answer = complete(server, model="lstm", prompt="a", max_tokens=3)
    assert answer["model"] == "lstm"


@pytest.mark.parametrize(
    ("body", "status", "param", "message"),
    [
        ({"max_tokens": -1}, 400, "max_tokens", "max_tokens must be"),
        ({"max_tokens": 10**6}, 400, "max_tokens", "at most 4096"),
        ({"max_tokens": "a"}, 400, "max_tokens", "max_tokens must be"),
        ({"temperature": -1}, 400, "temperature", "temperature must be"),
        ({"temperature": 10**400}, 400, "temperature", "temperature must be"),
        ({"top_p": 1.7}, 400, "top_p", "top_p must be"),
        ({"stop": [""]}, 400, "stop", "stop must"),
        ({"stop": [1]}, 400, "stop", "stop must"),
        ({"stop": ["a"] * 33}, 400, None, "stop strings"),
        ({"n": 0}, 400, "n", "n must be"),
        ({"n": 129}, 400, "n", "n must be"),
        ({"prompt": ["a"] * 100, "n": 2}, 400, "n", "at most 128"),
        ({"best_of": 3}, 400, "best_of", "best_of is not supported"),
        ({"suffix": "end"}, 400, "suffix", "suffix is not supported"),
        ({"prompt": []}, 400, "prompt", "prompt must be"),
        ({"prompt": {"a": 1}}, 400, "prompt", "prompt must be"),
        ({"prompt": [999]}, 400, "prompt", "Token ids must be"),
        ({"prompt": [5, 2, 5]}, 400, "prompt", "only at the beginning"),
        ({"prompt": "\ud800"}, 400, "prompt", "surrogates"),
        ({"prompt": "a" * 40_000}, 400, None, "length of prompt"),
        ({"logprobs": 21}, 400, "logprobs", "at most 20"),
        ({"logit_bias": {"x": 1}}, 400, "logit_bias", "token ids"),
        ({"logit_bias": {"9999": 1}}, 400, "logit_bias", "Token ids must be"),
        ({"novel": 30}, 400, "novel", "novel needs a model with an index of its corpus"),
        ({"response_format": {"type": "json_object"}}, 400, "response_format", "the type"),
        ({"response_format": "json_schema"}, 400, "response_format", "must be"),
        ({"json_schema": {"type": "null"}}, 400, None, "must leave a text"),
        ({"json_schema": {"type": "null", "title": "a" * 40_000}}, 400, None, "length of json"),
        ({"stream": "yes"}, 400, "stream", "true or false"),
        ({"seed": -1}, 400, "seed", "seed must be"),
        ({"model": "none"}, 404, "model", "no model 'none'"),
        ({"model": 5}, 400, "model", "model must be"),
        ({"banned": list("\n .abcdé。字😀"), "prompt": "a"}, 400, None, "No token is left"),
    ],
)
def test_errors_name_the_field(server, body, status, param, message):
    reply = server.post(URL, body)
    assert reply.status == status, reply.content
    error = reply.json["error"]
    assert message in error["message"]
    assert error["param"] == param
    assert error["type"] == ("not_found_error" if status == 404 else "invalid_request_error")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"a": NaN}x'])
def test_a_body_that_is_no_object_is_an_error(server, content):
    reply = server.post(URL, content)
    assert reply.status == 400
    assert "JSON" in reply.json["error"]["message"]


def test_a_client_that_disconnects_frees_its_row(server, slow_decoder):
    engine = server.shelf.models["transformer"].engine
    for stream in (True, False):
        connection = server.connect()
        body = {"prompt": "a", "max_tokens": 4096, "stream": stream}
        connection.request("POST", URL, json.dumps(body))
        wait_until(lambda: engine.num_running == 1)
        connection.close()
        wait_until(lambda: engine.num_running == 0)


def test_a_full_queue_answers_429(exported_models, slow_decoder):
    folder = exported_models["transformer"].path.parents[1]
    limits = Limits(max_rows=1, max_waiting=1)
    with running(folder, ["transformer"], limits) as server:
        engine = server.shelf.models["transformer"].engine
        with contextlib.ExitStack() as stack:
            for waiting in (0, 1):
                connection = stack.enter_context(contextlib.closing(server.connect()))
                body = {"prompt": "a", "max_tokens": 4096, "stream": True}
                connection.request("POST", URL, json.dumps(body))
                wait_until(lambda w=waiting: engine.num_running == 1 and engine.num_waiting == w)
            reply = server.post(URL, {"prompt": "a"})
            assert reply.status == 429
            assert reply.headers["retry-after"] == "1"
            assert reply.json["error"]["type"] == "rate_limit_error"


def test_overlapping_requests_get_their_own_texts(server, generator):
    wanted = {n: generator.generate("a b", seed=n, max_new_tokens=20).text for n in range(64)}
    received = {}

    def ask(number):
        body = {"prompt": "a b", "seed": number, "max_tokens": 20}
        if number % 2:
            events = server.events(body)
            received[number] = "".join(event["choices"][0]["text"] for event in events)
        else:
            received[number] = text_of(server, **body)

    threads = [threading.Thread(target=ask, args=[number]) for number in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert received == wanted

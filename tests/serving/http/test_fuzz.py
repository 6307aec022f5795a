"""Whatever a client sends, the server does not fail; the requests come from its own schema."""

import os
import random

import pytest

from tests.waiting import PATIENCE

schemathesis = pytest.importorskip("schemathesis")

# The suite takes a sample; the whole is `TEXTGEN_FUZZ_CASES=5000 pytest tests/serving/http`.
NUM_CASES = int(os.environ.get("TEXTGEN_FUZZ_CASES", "100"))


def operations(server):
    """The operations of the schema, each as a strategy of cases."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    return [result.ok() for result in schema.get_all_operations()]


def test_no_request_of_the_schema_fails(server):
    from hypothesis import HealthCheck, given, seed, settings
    from hypothesis import strategies as st
    from schemathesis.generation import GenerationMode

    found = operations(server)
    strategies = [
        operation.as_strategy(generation_mode=mode)
        for operation in found
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if mode is GenerationMode.POSITIVE or operation.body
    ]

    @seed(1)
    @settings(
        max_examples=NUM_CASES, deadline=None, suppress_health_check=[*HealthCheck], database=None
    )
    @given(st.one_of(strategies))
    def check(case):
        if isinstance(case.body, dict) and isinstance(case.body.get("max_tokens"), int):
            case.body["max_tokens"] = min(case.body["max_tokens"], 30)
        response = case.call(timeout=PATIENCE)
        assert response.status_code < 500, response.text

    check()
    assert server.get("/health").status == 200


def test_no_damaged_request_fails(server):
    chance = random.Random(0)
    body = b'{"prompt": ["a", [5, 6]], "max_tokens": 3, "stop": ["a"], "logit_bias": {"5": 1}}'
    for _ in range(NUM_CASES):
        damaged = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        for path in ("/v1/completions", "/v1/models/lstm:predict", "/tokenize"):
            assert server.post(path, bytes(damaged)).status < 500

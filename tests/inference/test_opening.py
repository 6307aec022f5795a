"""A large model is decoded on all cores, a small one by the calling thread alone."""

import os

from textgen.inference.opening import decoding_threads


def test_only_a_large_model_is_decoded_on_several_threads(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert decoding_threads(5 * 10**6) == 1
    assert decoding_threads(10**7) == 8
    assert decoding_threads(10**8) == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3})
    assert decoding_threads(10**8) == 2

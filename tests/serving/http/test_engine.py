"""Many requests at a time: each one's text is its own."""

import random

import numpy as np
import pytest

from tests.serving.http.conftest import Reader, make_row
from tests.waiting import wait_until
from textgen.serving.http.batch import Prompt
from textgen.serving.http.engine import Engine, EngineClosedError, QueueFullError
from textgen.serving.http.row import Row


@pytest.fixture
def engine(generator):
    engine = Engine(generator.saved_model, max_rows=8, max_waiting=100)
    yield engine
    engine.close()


def test_64_overlapping_texts_are_what_the_model_writes_alone(engine, generator):
    chance = random.Random(0)
    requests = [
        {
            "seed": number,
            "max_new_tokens": chance.randint(1, 60),
            "temperature": chance.choice([0.0, 0.7, 1.2]),
            "stop": chance.choice([[], ["ab"], ["c", "éa", "\n"]]),
            "top_k": chance.choice([0, 5]),
        }
        for number in range(64)
    ]
    prompts = ["".join(chance.choices("ab cdé。字\n", k=chance.randint(0, 20))) for _ in requests]
    readers = [Reader(engine, p, **r) for p, r in zip(prompts, requests, strict=True)]
    for reader, prompt, request in zip(readers, prompts, requests, strict=True):
        alone = generator.generate(prompt, **request)
        assert reader.read() == (alone.text, alone.finish_reason)


def test_a_late_row_joins_while_another_is_decoded(engine, slow_decoder):
    first = Reader(engine, "a", max_new_tokens=100_000, seed=1)
    next(first.pieces())
    assert Reader(engine, "b", max_new_tokens=5, seed=2).read()[1] == "length"
    # The engine counts a row until it looks for the next one.
    wait_until(lambda: engine.num_running == 1)
    first.row.is_cancelled = True


def test_a_cancelled_row_leaves(engine, slow_decoder):
    reader = Reader(engine, "a", max_new_tokens=100_000, seed=1)
    next(reader.pieces())
    reader.row.is_cancelled = True
    wait_until(lambda: engine.num_running == 0)


def test_cancelled_rows_leave_the_queue(engine, slow_decoder):
    readers = [Reader(engine, "a", max_new_tokens=100_000, seed=n) for n in range(20)]
    for reader in readers:
        reader.row.is_cancelled = True
    wait_until(lambda: engine.num_running == engine.num_waiting == 0)


def test_logprobs_are_those_of_the_model_alone(engine, generator):
    reader = Reader(engine, "ab", max_new_tokens=9, seed=4, logprobs=2)
    other = Reader(engine, "c", max_new_tokens=30, seed=5, logprobs=5)
    pieces = [*reader.pieces()]
    alone = generator.generate("ab", max_new_tokens=9, seed=4, logprobs=2)
    own = np.concatenate([piece.logprobs for piece in pieces])
    np.testing.assert_allclose(own, [t.logprob for t in alone.logprobs], atol=1e-4)
    top = np.concatenate([piece.top_token_ids for piece in pieces])
    assert top.tolist() == [[t.token_id for t in ts] for ts in alone.top_logprobs]
    assert other.read()[1] == "length"


def test_a_full_queue_refuses_all_rows_of_a_request(engine, slow_decoder):
    running = [Reader(engine, "a", max_new_tokens=100_000, seed=n) for n in range(8)]
    wait_until(lambda: engine.num_running == 8)
    with pytest.raises(QueueFullError, match="busy"):
        engine.submit([make_row("a", max_new_tokens=1) for _ in range(101)])
    assert engine.num_waiting == 0
    for reader in running:
        reader.row.is_cancelled = True


def test_a_row_that_the_model_refuses_fails_alone(engine):
    good = Reader(engine, "a", max_new_tokens=50, seed=1)
    next(good.pieces())
    errors = []
    engine.submit([Row(Prompt({"prompts": np.zeros((1, 1), object)}, {}), errors.append)])
    assert good.read()[1] == "length"
    wait_until(lambda: errors)
    assert errors[0].error is not None
    assert Reader(engine, "a", max_new_tokens=2).read()[1] == "length"


def test_closing_ends_every_row(generator, slow_decoder):
    engine = Engine(generator.saved_model)
    reader = Reader(engine, "a", max_new_tokens=100_000, seed=1)
    pieces = reader.pieces()
    next(pieces)
    engine.close()
    assert isinstance([*pieces][-1].error, EngineClosedError)
    with pytest.raises(EngineClosedError):
        engine.submit([make_row("a")])


def test_no_more_rows_are_decoded_than_allowed(generator, slow_decoder):
    engine = Engine(generator.saved_model, max_rows=3, num_threads=2)
    readers = [Reader(engine, "a", max_new_tokens=100_000, seed=n) for n in range(8)]
    wait_until(lambda: engine.num_running == 3)
    for num_left, reader in zip(reversed(range(8)), readers, strict=True):
        # Pieces come only while a row is decoded, so each has its turn.
        next(reader.pieces())
        assert engine.num_running <= 3
        reader.row.is_cancelled = True
        wait_until(lambda n=num_left: engine.num_waiting == max(n - 3, 0))
    wait_until(lambda: engine.num_running == 0)
    engine.close()

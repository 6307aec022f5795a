"""Texts that must not, or must, contain something: through the exported graph."""

import json
import re
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from textgen.config import SamplingConfig
from textgen.errors import ConfigError, GenerationError
from textgen.inference.constraints import ConstraintFeeds

PROMPTS = ("", "low 字", "é. \n", "明月")


@pytest.fixture(scope="module", params=["character", "bpe"])
def either_model(request, model, byte_pair_model):
    """A model of characters of each architecture, or one of byte pairs."""
    return model if request.param == "character" else byte_pair_model


def pieces_of(text):
    """Strategies for what such a text may say again."""
    spans = [text[i:j] for i in range(len(text)) for j in range(i + 1, min(i + 5, len(text)) + 1)]
    # Bytes that are no character are shown as one.
    return st.sampled_from(sorted({span for span in spans if "\ufffd" not in span} or {"a"}))


@given(data=st.data())
@settings(max_examples=15)
def test_texts_to_avoid_never_appear(either_model, data):
    seed = data.draw(st.integers(0, 1000))
    prompt = data.draw(st.sampled_from(PROMPTS))
    settings = {"max_new_tokens": 30, "temperature": 1.0, "seed": seed}
    free = either_model.generate(prompt, **settings).text
    # What the model wants to say, and what begins in the prompt.
    phrases = data.draw(st.lists(pieces_of(prompt[-2:] + free), min_size=1, max_size=4))
    ignore_case = data.draw(st.booleans())
    avoiding = {"avoid": phrases, "ignore_case": ignore_case}
    try:
        found = either_model.generate(prompt, **avoiding, **settings)
    except ConfigError:
        assume(False)  # nothing else is left to write
    assert found.finish_reason == "length"
    cleaned = either_model.clean(prompt)
    whole = cleaned + found.text
    for phrase in map(either_model.clean, phrases):
        for match in re.finditer(f"(?={re.escape(phrase)})", whole, re.I if ignore_case else 0):
            # A phrase is as good as gone if a shorter one in it is forbidden. Only where the
            # prompt holds the shorter one can the longer one be completed.
            assert match.start() + len(phrase) <= len(cleaned) or any(
                match.start() <= start < len(cleaned)
                for other in map(either_model.clean, phrases)
                if other != phrase and other.casefold() in phrase.casefold()
                for start in [cleaned.casefold().find(other.casefold(), match.start())]
            )
    # Until the first such text, nothing changes.
    same = next(
        (i for i, (a, b) in enumerate(zip(free, found.text, strict=False)) if a != b), len(free)
    )
    if same < len(free):
        assert any(p in cleaned + free[: same + 4] for p in map(either_model.clean, phrases)) or (
            ignore_case
        )
    streamed = either_model.stream(prompt, **avoiding, **settings)
    assert "".join(streamed) == found.text


def test_a_phrase_that_begins_in_the_prompt_does_not_end_in_the_text(byte_pair_model):
    for seed in range(20):
        settings = {"max_new_tokens": 12, "seed": seed, "temperature": 2.0}
        text = byte_pair_model.generate("the low", **settings, avoid=["lowe", "low\n", "ow l"]).text
        assert not text.startswith(("e", "\n", " l"))


def test_patterns_to_avoid_match_nothing(either_model):
    pattern = r"[a-e]{2}|字[ 字é]"
    for seed in range(10):
        text = either_model.generate("", max_new_tokens=30, seed=seed, avoid_regex=[pattern]).text
        assert not re.search(pattern, text)


@pytest.mark.parametrize(
    "pattern", [r"[ab]{3}c+", r"(?:a|字){2,5}\.", "é", r"\w\W\w", r".*d", "", "(?i:AB)*[^a]"]
)
def test_a_text_matches_its_pattern_as_a_whole(exported_models, model, pattern):
    if not pattern:
        with pytest.raises(ConfigError, match="regex must be a regular expression"):
            model.generate(regex=pattern)
        return
    for seed in range(10):
        result = model.generate("a", regex=pattern, max_new_tokens=12, seed=seed, temperature=1.5)
        assert re.fullmatch(pattern, result.text), result.text
        assert result.finish_reason in ("stop", "length")


def test_byte_pairs_match_a_pattern_too(byte_pair_model):
    for seed in range(10):
        result = byte_pair_model.generate(
            "a", regex=r"(?:low|字|\w)+ .", max_new_tokens=9, seed=seed
        )
        assert re.fullmatch(r"(?:low|字|\w)+ .", result.text), result.text


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "kinds": {"type": "array", "items": {"enum": ["low", "字"]}, "maxItems": 3},
        "count": {"type": ["integer", "null"]},
    },
    "required": ["name", "count"],
}


def test_texts_are_values_of_a_schema(byte_pair_model):
    for schema in (SCHEMA, json.dumps(SCHEMA)):
        rows = byte_pair_model.generate_batch(
            ["low"] * 50, json_schema=schema, max_new_tokens=80, temperature=1.5, seed=4
        )
        for row in rows:
            assert row.finish_reason == "stop"
            jsonschema.validate(json.loads(row.text), SCHEMA)


def test_the_lines_of_an_acrostic_begin_with_its_letters(model):
    for prompt in ("", "ab", "ab\n"):
        result = model.generate(prompt, acrostic="Bad 字", max_new_tokens=60, seed=3)
        lines = result.text.split("\n")
        assert result.finish_reason in ("stop", "length")
        if prompt == "ab":
            assert lines.pop(0) == ""
        assert [line[0] for line in lines] == list("bad字")


def test_constraints_hold_together(model):
    for seed in range(5):
        text = model.generate(regex="[abcd]{20}", avoid=["ab", "cc"], banned=["d"], seed=seed).text
        assert re.fullmatch("[abc]{20}", text)
        assert "ab" not in text
        assert "cc" not in text


def test_every_row_follows_its_own_prompt(model):
    rows = model.generate_batch(
        ["a", "b", "ab"], avoid=["ac", "bd", "bb"], max_new_tokens=1, seed=0
    )
    assert rows[0].text != "c"
    assert rows[1].text not in ("d", "b")
    alone = model.generate("b", avoid=["ac", "bd", "bb"], max_new_tokens=1, seed=1)
    assert alone.text == rows[1].text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"avoid": list("\n .abcdé。字😀")}, "avoid must leave a text that the model can"),
        ({"regex": "x"}, "regex must leave a text"),
        ({"json_schema": {"type": "null"}}, "json_schema must leave a text"),
        ({"json_schema": {"allOf": []}}, "Received: 'allOf' at #"),
        ({"regex": "a{9}", "max_new_tokens": 8}, "max_new_tokens must be at least 9"),
        ({"regex": "(?=a)b"}, "regex must have no lookaround"),
        ({"avoid_regex": ["a*"]}, "avoid_regex must not match the empty text"),
        ({"regex": "(a|b)*a(a|b){20}"}, "regex must be simpler"),
        ({"avoid": ["a" * 60_000]}, "must be shorter or fewer"),
    ],
)
def test_what_cannot_be_followed_is_refused_in_one_sentence(model, settings, message):
    with pytest.raises(ConfigError) as caught:
        model.generate(**settings)
    assert message in str(caught.value)


def test_an_older_model_says_that_it_cannot(model):
    older = SimpleNamespace(signatures={"generate": model.saved_model.signatures["score"]})
    feeds = ConstraintFeeds(older, model.tokenizer)
    assert feeds(SamplingConfig(ignore_case=True), [b""]) == {}
    with pytest.raises(GenerationError, match="avoid needs a model exported by a newer"):
        feeds(SamplingConfig(avoid=["a"]), [b""])


def test_an_automaton_of_noise_fails_no_row(model):
    noise = np.random.default_rng(0).bytes(5000)
    arguments = {"max_new_tokens": [5], "seed": [0], "temperature": [0.8]}
    for content in (noise, b"\xff" * 4001, b"a"):
        for state in (-5, 0, 2**31 - 1):
            outputs = model.saved_model.run(
                "generate",
                prompts=["a", "a"],
                automaton=[b"", content],
                automaton_state=[0, state],
                **arguments,
            )
            alone = model.saved_model.run("generate", prompts=["a"], **arguments)
            assert outputs["text"][0] == alone["text"][0]

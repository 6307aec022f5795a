"""A text in pieces is the text at once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgen.errors import ConfigError, TokenizerError
from textgen.inference import TextStream, stream

CONTROLS = st.fixed_dictionaries(
    {"max_new_tokens": st.integers(1, 60), "seed": st.integers(0, 2**63 - 1)},
    optional={
        "temperature": st.floats(0, 3),
        "top_p": st.floats(0.1, 1),
        "repetition_penalty": st.floats(0.5, 2),
        "mirostat_tau": st.sampled_from([0.0, 3.0]),
        "stop": st.lists(st.sampled_from(["a", "字", "b。", "lo", "w 字", "é😀"]), max_size=2),
        "logprobs": st.sampled_from([None, 0, 2]),
    },
)
PROMPTS = st.text("ab é。字😀\nlow", max_size=25)


def assert_same(model, prompt, controls):
    written = model.stream(prompt, **controls)
    pieces = list(written)
    whole = model.generate(prompt, **controls)
    assert "".join(pieces) == whole.text
    assert all(pieces)
    assert written.result == whole


@settings(max_examples=30)
@given(prompt=PROMPTS, controls=CONTROLS)
def test_pieces_of_characters_are_the_text_written_at_once(model, prompt, controls):
    assert_same(model, prompt, controls)


@settings(max_examples=50)
@given(prompt=PROMPTS, controls=CONTROLS)
def test_pieces_of_byte_pairs_are_the_text_written_at_once(byte_pair_model, prompt, controls):
    assert_same(byte_pair_model, prompt, controls)


class Chunks:
    """Stands for a model that writes these bytes, a chunk a call."""

    def __init__(self, chunks):
        self._chunks = [*chunks, b""]

    def decode(self, num_tokens):
        chunk = self._chunks.pop(0)
        return {"text_bytes": [chunk], "finish_reason": [b"" if self._chunks else b"stop"]}


CHUNKS = st.lists(st.binary(max_size=5)) | st.text().map(
    lambda text: [bytes([byte]) for byte in text.encode()]
)


@given(chunks=CHUNKS)
def test_however_the_bytes_come_pieces_are_whole_characters(chunks):
    whole = b"".join(chunks)
    pieces = list(TextStream(lambda: Chunks(chunks), list))
    assert "".join(pieces) == whole.decode("utf-8", errors="replace")
    assert all(pieces)


def test_the_first_piece_is_one_token_and_later_ones_are_more(any_model, monkeypatch):
    sizes = []
    write = stream.ChunkDecoder.decode

    def spy(self, num_tokens):
        sizes.append(num_tokens)
        return write(self, num_tokens)

    monkeypatch.setattr(stream.ChunkDecoder, "decode", spy)
    monkeypatch.setattr(stream, "_SECONDS_PER_CHUNK", 1e9)
    list(any_model.stream("a", max_new_tokens=100))
    assert sizes == [1, 2, 4, 8, 16, 32, 64]
    sizes.clear()
    monkeypatch.setattr(stream, "_SECONDS_PER_CHUNK", 0)
    list(any_model.stream("a", max_new_tokens=5))
    assert sizes == [1] * 5


def test_a_stream_tells_what_is_written_so_far(any_model):
    written = any_model.stream("a", max_new_tokens=30, seed=3)
    assert (written.result.text, written.result.finish_reason) == ("", "")
    begun = next(written) + next(written)
    assert written.result.text == begun
    assert written.result.num_tokens == len(begun)
    assert written.result.finish_reason == ""
    list(written)
    assert written.result == any_model.generate("a", max_new_tokens=30, seed=3)
    assert next(written, None) is None


def test_a_stream_without_a_seed_tells_the_one_it_took(any_model):
    written = any_model.stream("a", max_new_tokens=30)
    text = "".join(written)
    assert any_model.generate("a", max_new_tokens=30, seed=written.result.seed).text == text


def test_a_long_text_is_written_in_several_calls(any_model, monkeypatch):
    controls = {"seed": 3, "max_new_tokens": 100, "logprobs": 1}
    whole = any_model.generate("a", **controls)
    monkeypatch.setattr("textgen.inference.text_generator.MAX_TOKENS_PER_CALL", 30)
    assert any_model.generate("a", **controls) == whole


def test_what_is_wrong_is_said_before_anything_is_written(any_model):
    with pytest.raises(ConfigError, match="top_p"):
        any_model.stream("a", top_p=2)
    with pytest.raises(TokenizerError, match="lone surrogates"):
        any_model.stream("\ud800")

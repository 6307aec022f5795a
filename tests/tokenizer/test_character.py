"""Characters: the same ids on the host and in the graph, for any text."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.errors import TokenizerError
from textgen.tokenizer import CharacterTokenizer, load_tokenizer

CORPUS = "The quick brown fox.\n床前明月光，疑是地上霜。\n👩‍🚀 e\u0301é \u200d العربية"
TOKENIZER = CharacterTokenizer.learn([CORPUS])
GRAPH = TOKENIZER.in_graph()
known_text = st.text(st.sampled_from(sorted(set(CORPUS))), max_size=40)
any_text = st.text(max_size=40)


@given(known_text)
def test_known_text_survives_a_round_trip(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.lists(st.one_of(known_text, any_text), min_size=1, max_size=4))
def test_host_and_graph_return_the_same_ids(texts):
    ids, lengths = GRAPH.encode([text.encode() for text in texts])
    for row, length, text in zip(ids.numpy(), lengths.numpy(), texts, strict=True):
        np.testing.assert_array_equal(row[:length], TOKENIZER.encode(text))


@given(st.lists(known_text, min_size=1, max_size=4))
def test_the_graph_decodes_what_it_encoded(texts):
    decoded = GRAPH.decode(*GRAPH.encode([text.encode() for text in texts]))
    assert [text.decode() for text in decoded.numpy()] == texts


def test_each_invalid_utf8_sequence_is_one_unknown_token_in_the_graph():
    ids, lengths = GRAPH.encode([b"T\xffh"])
    assert ids.numpy()[0].tolist() == [*TOKENIZER.encode("T"), 0, *TOKENIZER.encode("h")]
    assert lengths.numpy().tolist() == [3]


@given(st.lists(st.one_of(known_text, any_text), min_size=1, max_size=4))
def test_a_batch_of_texts_has_the_ids_of_each_text_alone(texts):
    ids, lengths = TOKENIZER.encode_all(texts)
    alone = [TOKENIZER.encode(text).tolist() for text in texts]
    assert ids.tolist() == [*itertools.chain.from_iterable(alone)]
    assert lengths.tolist() == [len(each) for each in alone]


@given(st.lists(any_text), st.integers(1, 3))
def test_the_vocabulary_does_not_depend_on_how_a_corpus_is_divided(texts, min_count):
    texts = [*texts, "abc" * 3]
    whole = CharacterTokenizer.learn(["".join(texts)], min_count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textgen.tokenizer.batches.CHARACTERS_PER_BATCH", 5)
        assert CharacterTokenizer.learn(iter(texts), min_count).characters == whole.characters


def test_rare_characters_become_unknown():
    tokenizer = CharacterTokenizer.learn(["aaab", "b☃"], min_count=2)
    assert tokenizer.characters == ["a", "b"]
    assert tokenizer.encode("a☃b").tolist() == [3, 0, 4]
    assert tokenizer.unknown_characters("☃a☂☃") == ["☃", "☂"]


def test_a_min_count_that_no_character_reaches_is_refused():
    with pytest.raises(TokenizerError, match=r"min_count must be at most 3.*Received: 4"):
        CharacterTokenizer.learn(["aaab"], min_count=4)


def test_lone_surrogates_are_refused_in_one_sentence():
    with pytest.raises(TokenizerError, match=r"U\+D800 at character 1"):
        TOKENIZER.encode("a\ud800")


def test_a_tokenizer_survives_its_readable_json_file(tmp_path):
    path = tmp_path / "tokenizer.json"
    TOKENIZER.save(path)
    assert "床" in path.read_text(encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8"))["kind"] == "character"
    assert load_tokenizer(path).to_dict() == TOKENIZER.to_dict()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kind": "character"}', '{"kind": "other"}'])
def test_the_error_names_a_damaged_file(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(TokenizerError, match=r"tokenizer\.json"):
        load_tokenizer(path)


def test_prompts_follow_bos_or_a_newline():
    assert TOKENIZER.prefix_id(has_documents=True) == 1
    assert TOKENIZER.prefix_id(has_documents=False) == TOKENIZER.encode("\n")[0]
    assert CharacterTokenizer.learn(["ab"]).prefix_id(has_documents=False) == 1

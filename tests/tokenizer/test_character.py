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
def test_known_text_comes_back(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.lists(st.one_of(known_text, any_text), min_size=1, max_size=4))
def test_host_and_graph_give_the_same_ids(texts):
    ids, lengths = GRAPH.encode([text.encode() for text in texts])
    for row, length, text in zip(ids.numpy(), lengths.numpy(), texts, strict=True):
        np.testing.assert_array_equal(row[:length], TOKENIZER.encode(text))


@given(st.lists(known_text, min_size=1, max_size=4))
def test_graph_decodes_what_it_encoded(texts):
    decoded = GRAPH.decode(*GRAPH.encode([text.encode() for text in texts]))
    assert [text.decode() for text in decoded.numpy()] == texts


def test_invalid_utf8_in_the_graph_is_one_unknown_character_a_sequence():
    ids, lengths = GRAPH.encode([b"T\xffh"])
    assert ids.numpy()[0].tolist() == [*TOKENIZER.encode("T"), 0, *TOKENIZER.encode("h")]
    assert lengths.numpy().tolist() == [3]


@given(st.lists(st.one_of(known_text, any_text), min_size=1, max_size=4))
def test_many_texts_in_one_call_get_the_ids_they_get_alone(texts):
    ids, lengths = TOKENIZER.encode_all(texts)
    alone = [TOKENIZER.encode(text).tolist() for text in texts]
    assert ids.tolist() == [*itertools.chain.from_iterable(alone)]
    assert lengths.tolist() == [len(each) for each in alone]


@given(st.lists(any_text), st.integers(1, 3))
def test_how_a_corpus_is_divided_makes_no_difference_to_the_vocabulary(texts, min_count):
    texts = [*texts, "abc" * 3]
    whole = CharacterTokenizer.learn(["".join(texts)], min_count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textgen.tokenizer.batches.CHARACTERS_A_BATCH", 5)
        assert CharacterTokenizer.learn(iter(texts), min_count).characters == whole.characters


def test_rare_characters_become_unknown():
    tokenizer = CharacterTokenizer.learn(["aaab", "b☃"], min_count=2)
    assert tokenizer.characters == ["a", "b"]
    assert tokenizer.encode("a☃b").tolist() == [3, 0, 4]
    assert tokenizer.unknown_characters("☃a☂☃") == ["☃", "☂"]


def test_lone_surrogates_are_refused_in_one_sentence():
    with pytest.raises(TokenizerError, match=r"U\+D800 at character 1"):
        TOKENIZER.encode("a\ud800")


def test_the_file_is_readable_json_and_gives_the_tokenizer_back(tmp_path):
    path = tmp_path / "tokenizer.json"
    TOKENIZER.save(path)
    assert "床" in path.read_text(encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8"))["kind"] == "character"
    assert load_tokenizer(path).to_dict() == TOKENIZER.to_dict()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kind": "character"}', '{"kind": "other"}'])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(TokenizerError, match=r"tokenizer\.json"):
        load_tokenizer(path)


def test_prompts_stand_behind_a_document_start_or_a_newline():
    assert TOKENIZER.boundary(has_documents=True) == 1
    assert TOKENIZER.boundary(has_documents=False) == TOKENIZER.encode("\n")[0]
    assert CharacterTokenizer.learn(["ab"]).boundary(has_documents=False) == 1

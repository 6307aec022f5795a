"""Tokenizers of published models: the ids of the `tokenizers` library, for any text."""

import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from tests.tokenizer.references import SPECIALS, learned, ours, pre_tokenizer
from textgen.errors import TokenizerError
from textgen.tokenizer import PublishedTokenizer, SpecialTokens, load_tokenizer
from textgen.tokenizer.character_classes import CharacterClasses
from textgen.tokenizer.published_words import PATTERNS

CORPUS = (
    "The quick brown fox doesn't jump; we'll see WHAT'S UP, don'T I'VE 'ſ\n" * 3
    + "12 1234 567 ½² ٣٤٥ and 7 or 1,000.50\r\n\r\n  x = y ;\n\n\t\tz  \n" * 3
    + "床前明月光，疑是地上霜。 naïve e\u0301é العربية हिन्दी 👩‍🚀 <|im_end|>\0\u3000\u00a0\x85" * 3
)
REFERENCES = {pattern: learned(pattern, CORPUS) for pattern in PATTERNS}
# Without special tokens, which the library finds in any text.
PLAIN = {
    pattern: Tokenizer.from_str(json.dumps(json.loads(each.to_str()) | {"added_tokens": []}))
    for pattern, each in REFERENCES.items()
}
TOKENIZERS = {pattern: ours(reference, pattern) for pattern, reference in REFERENCES.items()}
STRINGS = tf.TensorSpec([None], tf.string)
GRAPHS = {
    pattern: tf.function(tokenizer.in_graph().encode, input_signature=[STRINGS])
    for pattern, tokenizer in TOKENIZERS.items()
}
each_pattern = pytest.mark.parametrize("pattern", PATTERNS)

# What the rules of the patterns are about, adjacent more often than by chance.
special_characters = st.text(st.sampled_from("'sStTreVvEmlLdDſ \n\r\t12½٣a床,.!\u3000\x85é\u0301"))
runs = st.lists(st.tuples(st.sampled_from("a '=\n床\t1,\r"), st.integers(1, 30)), max_size=5).map(
    lambda pairs: "".join(text * count for text, count in pairs)
)
snippets = st.integers(0, len(CORPUS)).map(lambda start: CORPUS[start : start + 20])
texts = st.text(max_size=40) | special_characters | runs | snippets
batches = st.lists(texts, max_size=8)


def by_the_library(pattern, rows):
    return [each.ids for each in PLAIN[pattern].encode_batch(rows)]


def in_graph(encode, rows):
    ids, lengths = encode(tf.constant(rows, tf.string, shape=[len(rows)]))
    return [row[:length].tolist() for row, length in zip(ids.numpy(), lengths.numpy(), strict=True)]


@each_pattern
@given(batches)
def test_the_host_returns_the_ids_of_the_library(pattern, rows):
    encoded = [TOKENIZERS[pattern].encode(text).tolist() for text in rows]
    assert encoded == by_the_library(pattern, rows)


@each_pattern
@given(batches)
def test_the_graph_returns_the_ids_of_the_library(pattern, rows):
    assert in_graph(GRAPHS[pattern], rows) == by_the_library(pattern, rows)


@each_pattern
@pytest.mark.parametrize("text", [CORPUS * 5, " " * 9000, "a" * 9000, "'s" * 3000, "7 \n" * 3000])
def test_long_texts_have_the_ids_of_the_library(pattern, text):
    wanted = PLAIN[pattern].encode(text).ids
    assert TOKENIZERS[pattern].encode(text).tolist() == wanted
    assert in_graph(GRAPHS[pattern], [text]) == [wanted]


@each_pattern
def test_the_text_of_a_special_token_is_ordinary_text(pattern):
    text = "".join(SPECIALS)
    ids = TOKENIZERS[pattern].encode(text).tolist()
    assert ids == PLAIN[pattern].encode(text).ids == in_graph(GRAPHS[pattern], [text])[0]
    assert not set(ids) & set(TOKENIZERS[pattern].special_texts)


@pytest.mark.parametrize("seed", range(4))
def test_tokens_made_by_several_merges_are_merged_in_order(seed):
    # Merges in any order, of a few letters: most tokens are made of several pairs.
    random = np.random.default_rng(seed)
    alphabet = pre_tokenizer("gpt2").alphabet()
    vocabulary = {symbol: index for index, symbol in enumerate([*SPECIALS, *sorted(alphabet)])}
    parts, merges = ["a", "b", "c"], []
    while len(merges) < 60:
        left, right = random.choice(parts, 2)
        if (left, right) not in merges and len(left + right) < 7:
            merges.append((str(left), str(right)))
            vocabulary.setdefault(left + right, len(vocabulary))
            parts.append(str(left + right))
    random.shuffle(merges)
    reference = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    reference.pre_tokenizer = pre_tokenizer("gpt2")
    tokenizer = ours(reference, "gpt2")
    rows = ["".join(random.choice(["a", "b", "c"], 40)) for _ in range(100)]
    wanted = [each.ids for each in reference.encode_batch(rows)]
    assert [tokenizer.encode(row).tolist() for row in rows] == wanted
    assert in_graph(tokenizer.in_graph().encode, rows) == wanted


@each_pattern
def test_a_tokenizer_survives_its_file(pattern, tmp_path):
    tokenizer = TOKENIZERS[pattern]
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert loaded.to_dict() == tokenizer.to_dict()
    assert loaded.pieces == tokenizer.pieces
    assert loaded.special == tokenizer.special
    assert loaded.special_texts == tokenizer.special_texts
    assert loaded.encode(CORPUS).tolist() == tokenizer.encode(CORPUS).tolist()


@given(texts)
def test_any_text_survives_a_round_trip(text):
    tokenizer = TOKENIZERS["gpt2"]
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.unknown_characters(text) == []


def test_a_prompt_follows_the_bos_token():
    assert TOKENIZERS["smollm"].prefix_id(has_documents=False) == TOKENIZERS["smollm"].special.bos


BYTES = [bytes([byte]) for byte in range(256)]
CLASSES = CharacterClasses(((65, 90),), ((48, 57),), ((32, 32),), ((48, 57),))
END = SpecialTokens(0, 0, 0)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (([b"", *BYTES], [], "bert", CLASSES, END, {}), "pattern must be one of gpt2.*'bert'"),
        (([b"", *BYTES[1:]], [], "gpt2", CLASSES, END, {}), "every byte. Received: none for 0x0"),
        (([b"", *BYTES], [(b"a", b"b")], "gpt2", CLASSES, END, {}), "b'a' and b'b'"),
        (([b"", *BYTES], [], "gpt2", CLASSES, END._replace(eos=257), {}), r"\[0, 256\].* 257"),
        (([b"", *BYTES], [], "gpt2", CLASSES, END._replace(eos=9), {}), "no bytes.*x08"),
        (([b"", *BYTES], [], "gpt2", CLASSES, END, {0: "<"}), "2 characters or more.*'<'"),
    ],
)
def test_a_vocabulary_that_contradicts_itself_is_refused(parts, message):
    with pytest.raises(TokenizerError, match=message):
        PublishedTokenizer(*parts)


@pytest.mark.parametrize(
    "change",
    [
        {"tokens": None},
        {"tokens": ["\u3000"]},
        {"merges": ["a"]},
        {"merges": ["a b c"]},
        {"merges": [3]},
        {"special_tokens": {"bos": 0}},
        {"special_tokens": {"unknown": "a", "bos": 0, "eos": 0}},
        {"special_texts": {"a": "<|end|>"}},
        {"special_texts": {"0": 3}},
        {"special_texts": []},
        {"classes": {}},
        {"classes": {"letters": "5-3", "numbers": "", "spaces": "", "digits": ""}},
        {"classes": {"letters": "110000", "numbers": "", "spaces": "", "digits": ""}},
        {"pattern": []},
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, change):
    path = tmp_path / "tokenizer.json"
    tokenizer = PublishedTokenizer([b"", *BYTES], [], "gpt2", CLASSES, END, {0: "<|end|>"})
    path.write_text(json.dumps(tokenizer.to_dict() | change))
    with pytest.raises(TokenizerError, match=r"tokenizer\.json.*damaged"):
        load_tokenizer(path)


def test_classes_are_those_of_the_library():
    classes = CharacterClasses.of_library()
    assert CharacterClasses.from_dict(classes.to_dict()) == classes
    for text, ranges in (
        ("aé床", classes.letters),
        ("1½", classes.numbers),
        (" \n", classes.spaces),
    ):
        for character in text:
            assert any(first <= ord(character) <= last for first, last in ranges)

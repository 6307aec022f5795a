"""Tokenizers of published models: the ids of the `tokenizers` library, for any text."""

import copy
import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers

from tests.tokenizer.references import SPECIALS, learned, ours, pre_tokenizer
from textgen.errors import TokenizerError
from textgen.tokenizer import PublishedTokenizer, SpecialTokens, load_tokenizer
from textgen.tokenizer.character_classes import CharacterClasses
from textgen.tokenizer.published_words import PATTERNS
from textgen.tokenizer.token_ids import TEXT_MARK

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
PARSING = {
    pattern: tf.function(
        tokenizer.in_graph().encode, input_signature=[STRINGS, tf.TensorSpec([None], tf.bool)]
    )
    for pattern, tokenizer in TOKENIZERS.items()
}

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


@pytest.mark.parametrize("keeps_whole_words", [False, True])
def test_words_may_be_kept_whole_although_merging_makes_other_tokens(keeps_whole_words):
    model = json.loads(REFERENCES["llama3"].to_str())["model"]
    # No merge makes these.
    whole = ["zebra", "\u0120zebras", "\u0120\u0120\u0120\u0120\u0120"]
    vocabulary = model["vocab"] | {word: len(model["vocab"]) + i for i, word in enumerate(whole)}
    merges = [tuple(pair) for pair in model["merges"]]
    reference = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=keeps_whole_words))
    reference.pre_tokenizer = pre_tokenizer("llama3")
    tokenizer = ours(reference, "llama3", keeps_whole_words=keeps_whole_words)
    rows = ["zebra zebras", " zebra", "zebras", "", "      zebra", CORPUS]
    wanted = [each.ids for each in reference.encode_batch(rows)]
    assert [tokenizer.encode(row).tolist() for row in rows] == wanted
    assert in_graph(tokenizer.in_graph().encode, rows) == wanted
    assert in_graph(tokenizer.in_graph().encode, [""]) == [[]]


@pytest.mark.parametrize("pattern", ["smollm", "qwen2"])
def test_bytes_that_are_no_tokens_are_left_out(pattern):
    model = json.loads(REFERENCES[pattern].to_str())["model"]
    missing = ["\u0120", "'", "1", "\u010a"]
    kept = [word for word in model["vocab"] if not set(word) & {*missing}]
    merges = [tuple(pair) for pair in model["merges"] if not set("".join(pair)) & {*missing}]
    vocabulary = {word: token for token, word in enumerate(kept)}
    reference = Tokenizer(models.BPE(vocabulary, merges))
    reference.pre_tokenizer = pre_tokenizer(pattern)
    tokenizer = ours(reference, pattern)
    rows = ["it's 12", "", " '1\n", CORPUS]
    wanted = [each.ids for each in reference.encode_batch(rows)]
    assert [tokenizer.encode(row).tolist() for row in rows] == wanted
    assert in_graph(tokenizer.in_graph().encode, rows) == wanted
    assert tokenizer.unknown_characters("it's 12\n12") == ["'", " ", "1", "\n"]


marked = st.lists(
    st.sampled_from(
        [*SPECIALS, "<|im_", "<|im_end", "<", "end|>", TEXT_MARK, "'s", " ", "\n", "ab", "1"]
    ),
    max_size=10,
).map("".join)


@pytest.mark.parametrize("pattern", ["smollm", "llama3"])
@given(st.lists(marked | texts, max_size=6), st.data())
def test_special_tokens_are_found_where_they_are_wanted(pattern, rows, data):
    wanted = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    tokenizer = TOKENIZERS[pattern]
    encoded = [
        (tokenizer.encode_with_special(text) if parse else tokenizer.encode(text)).tolist()
        for text, parse in zip(rows, wanted, strict=True)
    ]
    ids, lengths = PARSING[pattern](
        tf.constant(rows, tf.string, [len(rows)]), tf.constant(wanted, tf.bool, [len(rows)])
    )
    assert [
        row[:n].tolist() for row, n in zip(ids.numpy(), lengths.numpy(), strict=True)
    ] == encoded
    for text, parse, each in zip(rows, wanted, encoded, strict=True):
        if parse and TEXT_MARK not in text:
            assert each == REFERENCES[pattern].encode(text, add_special_tokens=False).ids


@given(marked, marked)
def test_what_a_person_types_is_protected_from_being_a_special_token(first, second):
    tokenizer = TOKENIZERS["smollm"]
    prompt = SPECIALS[1] + tokenizer.protect(first) + SPECIALS[2] + tokenizer.protect(second)
    ids = tokenizer.encode_with_special(prompt)
    assert [token for token in ids if token in tokenizer.special_texts] == [1, 2]
    plain = tokenizer.encode(first.replace(TEXT_MARK, ""))
    assert ids[1 : len(plain) + 1].tolist() == plain.tolist()


def test_of_special_tokens_at_one_place_the_longest_is_found():
    pieces = [b""] * 4 + BYTES
    texts = {0: "<a>", 1: "<a><b>", 2: "b><", 3: "<|>"}
    tokenizer = PublishedTokenizer(pieces, [], "gpt2", CLASSES, END, texts)
    encode = tokenizer.in_graph().encode
    for text in ("<a><b><|>", "<a><", "<<a>>", "b><a>", "<a><b<|>", "<a>" * 9):
        wanted = tokenizer.encode_with_special(text).tolist()
        ids, _ = encode([text], tf.constant([True]))
        assert ids.numpy().tolist() == [wanted]
    assert tokenizer.encode_with_special("<a><b><|>").tolist() == [1, 3]


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


@given(texts)
def test_a_tokenizer_may_normalize_texts(text):
    reference = Tokenizer.from_str(PLAIN["qwen2"].to_str())
    reference.normalizer = normalizers.NFC()
    tokenizer = copy.copy(TOKENIZERS["qwen2"])
    tokenizer.normalizes = True
    for each in (text, text + "e\u0301\u1100\u1161 A\u030a\u0323\u2126"):
        assert tokenizer.encode(each).tolist() == reference.encode(each).ids
        assert tokenizer.encode(tokenizer.normalize(each)).tolist() == reference.encode(each).ids


def test_a_prompt_follows_the_bos_token():
    assert TOKENIZERS["smollm"].prefix_id(has_documents=False) == TOKENIZERS["smollm"].special.bos


BYTES = [bytes([byte]) for byte in range(256)]
CLASSES = CharacterClasses(((65, 90),), ((48, 57),), ((32, 32),), ((48, 57),))
END = SpecialTokens(0, 0, 0)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (([b"", *BYTES], [], "bert", CLASSES, END, {}), "pattern must be one of gpt2.*'bert'"),
        (([b"", *BYTES[1:]], [], "gpt2", CLASSES, END, {}, True), "must hold every byte"),
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

"""BPE: the same ids on the host, in the graph and by the definition, for any text."""

import itertools
import json
import math
import random

import numpy as np
import pytest
import tensorflow as tf
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from textgen.errors import ConfigError, TokenizerError
from textgen.tokenizer import BytePairTokenizer, load_tokenizer
from textgen.tokenizer.words import PATTERN

CORPUS = (
    "The quick brown fox doesn't jump over the lazy dog; the other foxes do.\n" * 3
    + "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。\n" * 3
    + "def f(x):\n        return  x == 10 \\ y\n\n" * 3
    + "👩‍🚀👩‍🚀👍🏽 e\u0301é \u200d العربية हिन्दी\0\r\n\t\t" * 3
    + "aaaaaaaaaaaa " * 3
    + "=" * 200
)
TOKENIZER = BytePairTokenizer.learn([CORPUS], 600)
GRAPH = TOKENIZER.in_graph()
STRINGS = tf.TensorSpec([None], tf.string)
GRAPH_ENCODE = tf.function(GRAPH.encode, input_signature=[STRINGS])

snippets = sorted({CORPUS[start : start + size] for start in range(len(CORPUS)) for size in (1, 5)})
like_the_corpus = st.lists(st.sampled_from(snippets), max_size=12).map("".join)
runs = st.lists(
    st.tuples(st.sampled_from(["a", " ", "=", "\n", "床", "👩‍🚀", "\t", "'"]), st.integers(1, 90)),
    max_size=5,
).map(lambda pairs: "".join(text * count for text, count in pairs))
any_text = st.text(max_size=40)
texts = any_text | like_the_corpus | runs
# Bytes that begin, continue or end characters, adjacent more often than by chance.
pieces = st.sampled_from([b"\xe5\xba\x8a", b"\xe5", b"\xba", b"\xf0\x9f", b"\xed\xa0\x80", b"\xc0"])
raw_bytes = st.binary(max_size=20) | st.lists(pieces | st.binary(max_size=1)).map(b"".join)


def in_graph(raw):
    """The graph's ids of each row, without padding."""
    ids, lengths = GRAPH_ENCODE(tf.constant(raw, tf.string, shape=[len(raw)]))
    assert ids.shape == (len(raw), max([0, *lengths.numpy()]))
    mask = np.arange(ids.shape[1]) < lengths.numpy()[:, None]
    assert not np.any(ids.numpy()[~mask])
    return [row[:length].tolist() for row, length in zip(ids.numpy(), lengths.numpy(), strict=True)]


def by_definition(text):
    """BPE as the paper defines it: merge the best pair at its leftmost position, until none."""
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(PATTERN), "isolated")
    ranks = {pair: rank for rank, pair in enumerate(TOKENIZER.merges)}
    ids = []
    for word, _ in split.pre_tokenize_str(text):
        parts = [bytes([byte]) for byte in word.encode()]
        while True:
            pairs = itertools.pairwise(parts)
            found = [(ranks.get(pair, math.inf), index) for index, pair in enumerate(pairs)]
            rank, index = min(found, default=(math.inf, 0))
            if rank == math.inf:
                break
            parts[index : index + 2] = [parts[index] + parts[index + 1]]
        ids += [TOKENIZER.pieces.index(part, 3) for part in parts]
    return ids


@given(st.lists(texts, max_size=4))
def test_host_and_graph_return_the_same_ids(rows):
    encoded = in_graph([text.encode() for text in rows])
    assert encoded == [TOKENIZER.encode(text).tolist() for text in rows]


@given(texts)
def test_ids_match_the_definition(text):
    assert TOKENIZER.encode(text).tolist() == by_definition(text)


@given(st.lists(texts, max_size=9), st.integers(1, 30))
def test_a_batch_of_texts_has_the_ids_of_each_text_alone(rows, characters_per_batch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textgen.tokenizer.batches.CHARACTERS_PER_BATCH", characters_per_batch)
        ids, lengths = TOKENIZER.encode_all(rows)
    alone = [TOKENIZER.encode(text).tolist() for text in rows]
    assert ids.tolist() == [*itertools.chain.from_iterable(alone)]
    assert lengths.tolist() == [len(each) for each in alone]


@given(texts)
def test_any_text_survives_a_round_trip(text):
    ids = TOKENIZER.encode(text)
    assert ids.dtype == np.int32
    assert TOKENIZER.decode(ids) == text
    assert TOKENIZER.unknown_characters(text) == []


@given(st.lists(raw_bytes, min_size=1, max_size=4))
def test_invalid_utf8_in_the_graph_counts_as_replacement_characters(rows):
    wanted = [TOKENIZER.encode(row.decode(errors="replace")).tolist() for row in rows]
    assert in_graph(rows) == wanted


@given(st.lists(texts, min_size=1, max_size=4))
def test_the_graph_decodes_what_it_encoded(rows):
    decoded = GRAPH.decode(*GRAPH_ENCODE([text.encode() for text in rows]))
    assert [text.decode() for text in decoded.numpy()] == rows


@pytest.mark.parametrize(
    "text",
    [CORPUS * 60, "a" * 30_000, "aab" * 10_000, "床前明月光" * 6_000, "7" * 30_000, " " * 30_000],
    ids=["corpus", "one letter", "three letters", "chinese", "digits", "spaces"],
)
def test_host_and_graph_agree_on_long_texts(text):
    ids = TOKENIZER.encode(text).tolist()
    assert TOKENIZER.decode(ids) == text
    assert in_graph([text.encode()]) == [ids]


@pytest.mark.parametrize("seed", range(3))
def test_host_and_graph_agree_on_other_vocabularies(seed):
    # Words of two letters, where merges overlap most.
    letters = random.Random(seed)
    text = " ".join("".join(letters.choices("ab", k=letters.randrange(1, 60))) for _ in range(200))
    tokenizer = BytePairTokenizer.learn([text[:6000]], 700)
    ids, lengths = tokenizer.in_graph().encode([text.encode()])
    np.testing.assert_array_equal(ids[0], tokenizer.encode(text))
    assert lengths.numpy()[0] < len(text) / 4


def test_without_merges_tokens_are_bytes():
    tokenizer = BytePairTokenizer.learn([CORPUS], 259)
    assert tokenizer.vocab_size == 259
    assert tokenizer.encode("é\0").tolist() == [3 + 0xC3, 3 + 0xA9, 3]
    assert tokenizer.in_graph().encode(["é\0"])[0].numpy().tolist() == [[3 + 0xC3, 3 + 0xA9, 3]]


def test_it_learns_the_merges_of_the_reference():
    reference = tokenizers.Tokenizer(tokenizers.models.BPE())
    reference.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(PATTERN), "isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    reference.train_from_iterator(
        [CORPUS],
        tokenizers.trainers.BpeTrainer(
            vocab_size=600,
            min_frequency=2,
            special_tokens=["<unknown>", "<start>", "<end>"],
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    assert TOKENIZER.vocab_size == reference.get_vocab_size()
    # The reference orders the bytes differently, the merges alike.
    byte_level = tokenizers.decoders.ByteLevel()
    wanted = reference.encode(CORPUS)
    ids = TOKENIZER.encode(CORPUS).tolist()
    assert [i for i in ids if i >= 259] == [i for i in wanted.ids if i >= 259]
    assert [TOKENIZER.decode([i]) for i in ids] == [byte_level.decode([t]) for t in wanted.tokens]


def test_learning_is_deterministic_and_independent_of_parts():
    assert BytePairTokenizer.learn([CORPUS], 600).merges == TOKENIZER.merges
    lines = CORPUS.splitlines(keepends=True)
    assert BytePairTokenizer.learn(iter(lines), 600).merges == TOKENIZER.merges


def test_a_small_corpus_has_fewer_merges():
    assert BytePairTokenizer.learn(["abab"], 4096).merges == [(b"a", b"b")]
    assert BytePairTokenizer.learn([], 4096).vocab_size == 259


@pytest.mark.parametrize("vocab_size", [258, 2_000_000_000])
def test_a_vocab_size_out_of_range_is_refused_before_memory_is_reserved(vocab_size):
    rule = rf"vocab_size must be an integer in \[259, 1048576\]. Received: {vocab_size}"
    with pytest.raises(ConfigError, match=rule):
        BytePairTokenizer.learn([CORPUS], vocab_size)


@pytest.mark.parametrize("use", [TOKENIZER.encode, lambda text: TOKENIZER.learn([text], 300)])
def test_lone_surrogates_are_refused_in_one_sentence(use):
    with pytest.raises(TokenizerError, match=r"U\+D800 at character 1"):
        use("a\ud800")


def test_special_tokens_have_no_bytes_and_other_tokens_differ():
    assert TOKENIZER.pieces[:3] == [b""] * 3
    assert len(set(TOKENIZER.pieces[3:])) == TOKENIZER.vocab_size - 3


def test_prompts_follow_bos_or_a_newline():
    assert TOKENIZER.prefix_id(has_documents=True) == 1
    assert TOKENIZER.prefix_id(has_documents=False) == 3 + ord("\n")


def test_a_tokenizer_survives_its_readable_json_file(tmp_path):
    path = tmp_path / "tokenizer.json"
    TOKENIZER.save(path)
    content = path.read_text(encoding="utf-8")
    assert json.loads(content)["kind"] == "bpe"
    assert '"明月"' in content
    assert '" fox"' in content
    loaded = load_tokenizer(path)
    assert loaded.merges == TOKENIZER.merges
    assert loaded.pieces == TOKENIZER.pieces


@given(st.lists(st.binary(min_size=1, max_size=1) | st.sampled_from([b"\\", b"x"]), min_size=2))
def test_any_bytes_survive_the_file(letters):
    merges, whole = [], letters[0]
    for letter in letters[1:]:
        merges.append((whole, letter))
        whole += letter
    values = json.loads(json.dumps(BytePairTokenizer(merges).to_dict()))
    assert BytePairTokenizer.from_dict(values).merges == merges


@pytest.mark.parametrize(
    "merges",
    [
        None,
        3,
        "ab",
        [3],
        [["a"]],
        [["a", "b", "c"]],
        [["a", 3]],
        [["a", None]],
        [["", "a"]],
        [["ab", "c"]],
        [["a", "b"], ["a", "b"]],
        [["a", "a"], ["aa", "a"], ["a", "aa"]],
        [["a", "\ud800"]],
        [["\\xZZ", "a"]],
    ],
)
def test_the_error_names_a_damaged_file(tmp_path, merges):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"kind": "bpe", "merges": merges}))
    with pytest.raises(TokenizerError, match=r"tokenizer\.json"):
        load_tokenizer(path)


def test_a_file_without_merges_is_damaged(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text('{"kind": "bpe"}')
    with pytest.raises(TokenizerError, match="damaged"):
        load_tokenizer(path)

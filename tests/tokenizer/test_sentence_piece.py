"""Tokenizers of Llama 2 and Mistral: the ids of the `tokenizers` library, for any text."""

import json

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from textgen.errors import TokenizerError
from textgen.tokenizer import SentencePieceTokenizer, SpecialTokens, load_tokenizer
from textgen.tokenizer.sentence_piece import PREFIXES, SPACE_SYMBOL

CORPUS = (
    "The quick brown fox doesn't jump; we'll see WHAT'S UP, the foxes and the quick foxes\n" * 3
    + "12 1234 567 ½² and 7 or 1,000.50\r\n\r\n  x = y ;\n\n\t\tz  \n    indented   twice" * 3
    + "床前明月光，疑是地上霜。 naïve e\u0301é </s> <0x41>" * 3
)
SPECIALS = ["<unk>", "<s>", "</s>", "[INST]"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
SPECIAL = SpecialTokens(unknown=0, bos=1, eos=2)


def learned():
    """The vocabulary and the merges of a tokenizer that the library learns from the corpus."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Metaspace()
    learner.train_from_iterator(
        [CORPUS], trainers.BpeTrainer(vocab_size=250, show_progress=False, min_frequency=2)
    )
    model = json.loads(learner.to_str())["model"]
    vocabulary = {text: index for index, text in enumerate([*SPECIALS, *BYTES])}
    # Spaces of code, which have tokens of their own.
    spaces = [SPACE_SYMBOL * 2, SPACE_SYMBOL * 4]
    for text in [*model["vocab"], *spaces]:
        vocabulary.setdefault(text, len(vocabulary))
    merges = [(SPACE_SYMBOL, SPACE_SYMBOL), (spaces[0], spaces[0])]
    return vocabulary, merges + [tuple(pair) for pair in model["merges"]]


VOCABULARY, MERGES = learned()


def reference(prefix, vocabulary=None, merges=None, added=()):
    """A tokenizer of the library as Llama 2, TinyLlama or Mistral have it."""
    model = models.BPE(
        vocab=vocabulary or VOCABULARY,
        merges=MERGES if merges is None else merges,
        byte_fallback=True,
        fuse_unk=True,
        unk_token="<unk>",
    )
    tokenizer = Tokenizer(model)
    if prefix in ("always", "never"):
        steps = [normalizers.Replace(" ", SPACE_SYMBOL)]
        if prefix == "always":
            steps.insert(0, normalizers.Prepend(SPACE_SYMBOL))
        tokenizer.normalizer = normalizers.Sequence(steps)
    else:
        scheme = "always" if prefix == "missing" else "first"
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
            replacement=SPACE_SYMBOL, prepend_scheme=scheme, split=False
        )
    tokenizer.add_special_tokens(list(added))
    return tokenizer


def piece(text):
    if text in SPECIALS:
        return b""
    if text in BYTES:
        return bytes([BYTES.index(text)])
    return text.replace(SPACE_SYMBOL, " ").encode()


def ours(prefix, vocabulary=None, merges=None):
    return SentencePieceTokenizer(
        [piece(text) for text in vocabulary or VOCABULARY],
        [(piece(left), piece(right)) for left, right in (MERGES if merges is None else merges)],
        range(len(SPECIALS), len(SPECIALS) + 256),
        prefix,
        SPECIAL,
        dict(enumerate(SPECIALS)),
    )


STRINGS, FLAGS = tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.bool)
PLAIN = {prefix: reference(prefix) for prefix in PREFIXES}
TOKENIZERS = {prefix: ours(prefix) for prefix in PREFIXES}
GRAPHS = {
    prefix: tf.function(tokenizer.in_graph().encode, input_signature=[STRINGS], autograph=False)
    for prefix, tokenizer in TOKENIZERS.items()
    if prefix in ("always", "first")
}
each_prefix = pytest.mark.parametrize("prefix", PREFIXES)

characters = st.text(st.sampled_from("the fox \u2581\n\t1½床é\U0001f600<0x>/s"))
runs = st.lists(st.tuples(st.sampled_from("a e\n床\t1"), st.integers(1, 30)), max_size=5).map(
    lambda pairs: "".join(text * count for text, count in pairs)
)
snippets = st.integers(0, len(CORPUS)).map(lambda start: CORPUS[start : start + 30])
texts = st.text(max_size=40) | characters | runs | snippets
batches = st.lists(texts, max_size=8)


def by_the_library(prefix, rows):
    return [each.ids for each in PLAIN[prefix].encode_batch(rows)]


def in_graph(encode, rows, *flags):
    ids, lengths = encode(
        tf.constant(rows, tf.string, shape=[len(rows)]),
        *(tf.constant(values, tf.bool, shape=[len(rows)]) for values in flags),
    )
    return [row[:length].tolist() for row, length in zip(ids.numpy(), lengths.numpy(), strict=True)]


@each_prefix
@given(batches)
def test_the_host_returns_the_ids_of_the_library(prefix, rows):
    encoded = [TOKENIZERS[prefix].encode(text).tolist() for text in rows]
    assert encoded == by_the_library(prefix, rows)


@pytest.mark.parametrize("prefix", GRAPHS)
@given(batches)
def test_the_graph_returns_the_ids_of_the_library(prefix, rows):
    assert in_graph(GRAPHS[prefix], rows) == by_the_library(prefix, rows)


@pytest.mark.parametrize("text", [CORPUS * 5, " " * 3000, "ha" * 3000, "床" * 3000, "7 \n" * 2000])
def test_long_texts_have_the_ids_of_the_library(text):
    wanted = PLAIN["always"].encode(text).ids
    assert TOKENIZERS["always"].encode(text).tolist() == wanted
    assert in_graph(GRAPHS["always"], [text]) == [wanted]


def test_a_merge_may_cross_the_beginning_of_a_word():
    crossing = f"e{SPACE_SYMBOL}"
    vocabulary = {**VOCABULARY, crossing: len(VOCABULARY)}
    merges = [("e", SPACE_SYMBOL), *MERGES]
    rows = ["the fox", CORPUS, " ", ""]
    wanted = [each.ids for each in reference("always", vocabulary, merges).encode_batch(rows)]
    tokenizer = ours("always", vocabulary, merges)
    assert [tokenizer.encode(row).tolist() for row in rows] == wanted
    assert in_graph(tokenizer.in_graph().encode, rows) == wanted
    assert vocabulary[crossing] in wanted[0]


parts = st.lists(st.sampled_from([*SPECIALS, " ", "the", " fox", "\n", "<", "é"]), max_size=8)


@pytest.mark.parametrize("prefix", ["always", "missing", "never"])
@given(st.lists(parts.map("".join), max_size=4), st.data())
def test_special_tokens_are_found_where_they_are_wanted(prefix, rows, data):
    wanted = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    tokenizer = TOKENIZERS[prefix]
    library = reference(prefix, added=SPECIALS)
    encoded = [
        (tokenizer.encode_with_special(text) if parse else tokenizer.encode(text)).tolist()
        for text, parse in zip(rows, wanted, strict=True)
    ]
    assert in_graph(tokenizer.in_graph().encode, rows, wanted) == encoded
    for text, parse, each in zip(rows, wanted, encoded, strict=True):
        if parse:
            assert each == library.encode(text, add_special_tokens=False).ids


def test_a_template_follows_the_bos_token_and_so_is_not_first():
    tokenizer, library = TOKENIZERS["first"], reference("first", added=SPECIALS)
    text = "[INST]the fox</s> the fox"
    _, *wanted = library.encode("<s>" + text, add_special_tokens=False).ids
    assert tokenizer.encode_with_special(text).tolist() == wanted
    assert in_graph(tokenizer.in_graph().encode, [text, text], [True, False]) == [
        wanted,
        tokenizer.encode(text).tolist(),
    ]


@given(texts)
def test_any_text_survives_a_round_trip_behind_its_space(text):
    tokenizer = TOKENIZERS["always"]
    wanted = text.replace(SPACE_SYMBOL, " ")
    assert tokenizer.decode(tokenizer.encode(text)) == (f" {wanted}" if text else "")
    assert tokenizer.unknown_characters(text) == []


@each_prefix
def test_a_tokenizer_survives_its_file(prefix, tmp_path):
    tokenizer = TOKENIZERS[prefix].with_eos(3)
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert loaded.to_dict() == tokenizer.to_dict()
    assert loaded.eos_ids == (2, 3)
    assert loaded.encode(CORPUS).tolist() == tokenizer.encode(CORPUS).tolist()


@pytest.mark.parametrize(
    "change",
    [
        {"prefix": "sometimes"},
        {"prefix": []},
        {"byte_tokens": []},
        {"byte_tokens": [*range(5, 261)]},
        {"byte_tokens": ["a"] * 256},
        {"byte_tokens": [-(10**9)] * 256},
        {"more_eos": [10**6]},
        {"more_eos": None},
        {"merges": ["a"]},
        {"tokens": ["\u3000"]},
        {"tokens": []},
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, change):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(TOKENIZERS["always"].to_dict() | change))
    with pytest.raises(TokenizerError, match=r"tokenizer\.json.*damaged"):
        load_tokenizer(path)

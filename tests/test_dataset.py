"""The token store."""

import copy
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgen.config import CorpusConfig
from textgen.corpus import Source, clean, find_files, read_corpus
from textgen.dataset import TokenStore
from textgen.errors import CorpusError, TokenizerError
from textgen.tokenizer import BytePairTokenizer, CharacterTokenizer, SpecialTokens

CLEANING = [
    CorpusConfig(validation_split=0.1),
    CorpusConfig(lowercase=True, strip_punctuation=True, normalize="nfkc", validation_split=0.1),
    CorpusConfig(strip_html=True, normalize="nfc", validation_split=0.1),
]


@pytest.fixture(scope="module")
def tokenizer():
    return CharacterTokenizer.learn(["床前明月光", "疑是地上霜"])


def test_a_store_knows_the_tokens_of_its_training_part(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr("textgen.dataset._CHUNK", 2)
    store = TokenStore.write(tmp_path / "tokens", [["床前床"]], [["明"]], tokenizer, False)
    seen = store.seen(tokenizer.vocab_size)
    assert np.flatnonzero(seen).tolist() == [
        tokenizer.special.bos,
        *sorted(tokenizer.encode("床前")),
    ]


def test_a_store_counts_the_tokens_that_are_learned(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr("textgen.dataset._CHUNK", 2)
    unknown = tokenizer.special.unknown
    store = TokenStore.write(tmp_path / "text", [["床☃前☃☃"]], [["☃"]], tokenizer, False)
    assert store.count_learned("train", unknown) == 3
    row = "☃☃\udcfe床☃前"
    store = TokenStore.write(tmp_path / "rows", [[row, ""]], [], tokenizer, True, has_prompts=True)
    assert store.count_learned("train", unknown) == 1


@pytest.mark.parametrize(("text", "begins"), [("床前", True), ("床\n前", False)])
def test_the_token_before_every_prompt_is_in_the_training_part(tmp_path, text, begins):
    tokenizer = CharacterTokenizer.learn([text])
    store = TokenStore.write(tmp_path / "tokens", [[text]], [["床"]], tokenizer, False)
    assert store.seen(tokenizer.vocab_size)[tokenizer.prefix_id(False)]
    assert (store.train[0] == tokenizer.special.bos) == begins
    assert tokenizer.decode(store.validation) == "床"
    assert store.validation.size == 1


def test_a_store_uses_two_bytes_per_token(tmp_path, tokenizer):
    folder = tmp_path / "tokens"
    store = TokenStore.write(folder, [["床前"], ["明月光", ""]], [["疑是"]], tokenizer, False)
    assert store.train.dtype == store.validation.dtype == np.uint16
    assert tokenizer.decode(store.train) == "床前明月光"
    assert tokenizer.decode(TokenStore(folder).validation) == "疑是"


def test_a_store_may_have_a_test_part_and_no_validation_part(tmp_path, tokenizer):
    blocks = {"train": [["床前"]], "validation": [["", ""]], "test": [["明月", ""]]}
    written = TokenStore.write(
        tmp_path / "tokens", **blocks, tokenizer=tokenizer, has_documents=False
    )
    for store in (written, TokenStore(tmp_path / "tokens")):
        store.check(tokenizer.vocab_size, has_validation=False)
        assert tokenizer.decode(store.train) == "床前"
        assert store.validation.shape == (0,)
        assert tokenizer.decode(store.test) == "明月"
        for impossible in ({"vocab_size": 5}, {"vocab_size": tokenizer.vocab_size}):
            with pytest.raises(CorpusError, match="damaged"):
                store.check(**impossible)


def test_a_store_without_a_training_part_is_damaged(tmp_path, tokenizer):
    store = TokenStore.write(tmp_path / "tokens", [[""]], [["床前"]], tokenizer, False)
    with pytest.raises(CorpusError, match="damaged"):
        store.check(tokenizer.vocab_size)
    assert store.test is None


def test_a_large_vocabulary_needs_four_bytes(tmp_path):
    characters = [chr(code) for code in range(0x10000, 0x10000 + 2**16)]
    tokenizer = CharacterTokenizer(characters)
    blocks = [[characters[0] + characters[-1]]]
    store = TokenStore.write(tmp_path / "tokens", blocks, blocks, tokenizer, False)
    assert store.train.dtype == np.uint32
    assert store.train.tolist() == [tokenizer.special.bos, 3, 2**16 + 2]


documents = st.lists(st.text("床前明月光x", min_size=1), min_size=1)


# GPT-2 has one token that separates documents.
@pytest.mark.parametrize("bos", [1, 2])
@settings(deadline=None)  # It writes files.
@given(documents=documents, places=st.lists(st.integers(0, 100), max_size=6))
def test_a_store_puts_bos_and_eos_around_every_document(
    tmp_path_factory, tokenizer, documents, places, bos
):
    tokenizer = copy.copy(tokenizer)
    tokenizer.special = SpecialTokens(unknown=0, bos=bos, eos=2)
    text = "".join(f"{document}\n" for document in documents)
    edges = sorted({0, len(text), *(place % len(text) for place in places)})
    # For any cuts, splitting the pieces at "\n" yields blocks of the text's lines.
    blocks = [text[start:end].split("\n") for start, end in itertools.pairwise(edges)]
    folder = tmp_path_factory.mktemp("store") / "tokens"
    store = TokenStore.write(folder, blocks, [["霜", ""]], tokenizer, has_documents=True)
    begin = [] if bos == 2 else [bos]
    whole = [id_ for each in documents for id_ in (*begin, *tokenizer.encode(each), 2)]
    assert store.train.tolist() == [2][: bos == 2] + whole
    assert store.validation.tolist() == [bos, *tokenizer.encode("霜"), 2]


def test_a_failed_write_leaves_nothing(tmp_path, tokenizer):
    with pytest.raises(TokenizerError):
        TokenStore.write(tmp_path / "tokens", [["床前"]], [["\ud800"]], tokenizer, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_store_is_an_error(tmp_path, tokenizer, damage):
    folder = tmp_path / "tokens"
    TokenStore.write(folder, [["床前"]], [["明月"]], tokenizer, has_documents=False)
    file = folder / "validation.npy"
    file.write_bytes(file.read_bytes()[:-1] if damage is None else damage)
    with pytest.raises(CorpusError, match="damaged"):
        TokenStore(folder)


words = st.text(st.one_of(st.sampled_from("aÉΣ. \n字😀\u0301"), st.characters(codec="utf-8")))


@settings(deadline=None)  # It writes files.
@given(text=words, config=st.sampled_from(CLEANING), size=st.integers(1, 40))
def test_a_corpus_in_small_pieces_has_the_tokens_of_its_whole_text(
    tmp_path_factory, text, config, size
):
    folder = tmp_path_factory.mktemp("corpus")
    text = f"a{text.replace(chr(0), '')}bc"
    (folder / "corpus.txt").write_text(text, "utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textgen.corpus.document_store.CHUNK_BYTES", size)
        patch.setattr(Source.read_chunks, "__defaults__", (size, None))
        corpus = read_corpus(find_files([folder / "corpus.txt"]), config)
        tokenizer = CharacterTokenizer.learn(corpus.train.texts())
        train, validation = corpus.train.blocks(), corpus.validation.blocks()
        store = TokenStore.write(folder / "tokens", train, validation, tokenizer, False)
    whole = clean(text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff"), config)
    cut = max(1, int(0.9 * len(whole)))
    assert tokenizer.characters == sorted(set(whole[:cut]))
    # Without a newline, BOS is the token before a text.
    before = [] if "\n" in whole[:cut] else [tokenizer.special.bos]
    assert store.train.tolist() == [*before, *tokenizer.encode(whole[:cut])]
    assert store.validation.tolist() == tokenizer.encode(whole[cut:]).tolist()


ROW = "\udcfe".join(["床前", "明月", "床前明月", "光"])


def test_rows_keep_where_their_answers_begin(tmp_path, tokenizer):
    folder = tmp_path / "tokens"
    store = TokenStore.write(
        folder, [[ROW, ""], ["疑是", ""]], [], tokenizer, True, has_prompts=True
    )
    bos, eos = tokenizer.special.bos, tokenizer.special.eos
    encoded = [
        (tokenizer.encode(prompt), tokenizer.encode(answer))
        for prompt, answer in [("床前", "明月"), ("床前明月", "光"), ("", "疑是")]
    ]
    expected = [np.array([bos, *prompt, *answer, eos]) for prompt, answer in encoded]
    np.testing.assert_array_equal(store.train, np.concatenate(expected))
    rows = store.rows["train"]
    for (start, answer, stop), (prompt, _), ids in zip(rows, encoded, expected, strict=True):
        np.testing.assert_array_equal(store.train[start:stop], ids)
        assert answer == start + 1 + len(prompt)
    assert store.num_learned("train") == 2 + 1 + 2 + 3  # the answers and their ends
    store.check(tokenizer.vocab_size, has_validation=False)
    rows_path = folder / "train_rows.npy"
    np.save(rows_path, rows[::-1])
    with pytest.raises(CorpusError, match="damaged"):
        TokenStore(folder).check(tokenizer.vocab_size, has_validation=False)


def test_a_prompt_gives_tokens_that_join_the_answer_to_it():
    """As healing takes them off a prompt before it is continued."""
    tokenizer = BytePairTokenizer.learn(["to be or not to be\n"] * 9, vocab_size=300)
    ((prompt, answer),) = tokenizer.encode_pairs(["to be or "], ["not"])
    assert tokenizer.decode(prompt) == "to be or"
    assert tokenizer.decode(answer) == " not"
    ((prompt, answer),) = tokenizer.encode_pairs(["> to be?\n"], ["not"])
    assert tokenizer.decode(prompt) == "> to be?\n"

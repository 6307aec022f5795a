"""Vocabularies of SentencePiece in published files: the ids of Hugging Face's libraries."""

import json

import numpy as np
import pytest

from tests.pretrained.checkpoints import C, D, F, G, H, K, L, llama_tensors, write_hugging_face
from tests.tokenizer.test_sentence_piece import BYTES, CORPUS, SPECIALS, VOCABULARY, reference
from textgen.errors import PublishedModelError
from textgen.importing import import_model
from textgen.inference import load
from textgen.pretrained import open_published, writable_tokens
from textgen.pretrained.sentence_piece import merges_of_scores

TEXTS = ["The quick fox", " twice  indented\n", "床 é", "", "</s> <0x41>"]
NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "model.layers": "blk"}


def tensors():
    found = llama_tensors(np.random.default_rng(1))
    embedding = np.random.default_rng(2).normal(0, 0.3, (len(VOCABULARY), D)).astype(np.float32)
    return {**found, "model.embed_tokens.weight": embedding}


@pytest.mark.parametrize("prefix", ["always", "missing", "first", "never"])
def test_a_folder_has_the_ids_of_its_tokenizer_json(tmp_path, prefix):
    folder = write_hugging_face(tmp_path / "model", tensors(), vocab_size=len(VOCABULARY))
    library = reference(prefix, added=SPECIALS)
    (folder / "tokenizer.json").write_text(library.to_str(), "utf-8")
    about = {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    plain = reference(prefix)
    with open_published(folder) as model:
        tokenizer = model.tokenizer
    assert tokenizer.special == (0, 1, 2)
    for text in [*TEXTS, CORPUS]:
        assert tokenizer.encode(text).tolist() == plain.encode(text).ids
    is_writable = writable_tokens(tokenizer)
    assert not is_writable[[0, 1, 3, VOCABULARY["<0x61>"]]].any()
    assert is_writable[[2, VOCABULARY["a"], VOCABULARY["<0x0B>"]]].all()


def write_scored_gguf(path, **changes):
    """Write a GGUF file with a vocabulary of scores, as those of Llama 2 are."""
    from gguf import GGUFWriter, TokenType

    writer = GGUFWriter(path, "llama")
    for name, value in {
        "context_length": C,
        "embedding_length": D,
        "block_count": L,
        "feed_forward_length": F,
        "head_count": H,
        "head_count_kv": G,
        "layer_norm_rms_eps": 1e-5,
        "rope_dimension_count": K,
    }.items():
        getattr(writer, f"add_{name}")(value)
    kinds = {**dict.fromkeys(SPECIALS, TokenType.CONTROL), **dict.fromkeys(BYTES, TokenType.BYTE)}
    tokens = [text for text in VOCABULARY if text not in changes.get("without", ())]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(token) for token in range(len(tokens))])
    writer.add_token_types([kinds.get(text, TokenType.NORMAL) for text in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    ours = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        **NAMES,
    }
    for name, value in tensors().items():
        for theirs, other in ours.items():
            name = name.replace(theirs, other)
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_gguf_file_with_scores_has_the_ids_that_transformers_reads(tmp_path):
    pytest.importorskip("gguf")
    path = write_scored_gguf(tmp_path / "model.gguf")
    normal = {
        text: -float(token)
        for text, token in VOCABULARY.items()
        if text not in SPECIALS and text not in BYTES
    }
    plain = reference("always", merges=merges_of_scores(normal))
    with open_published(path) as model:
        tokenizer = model.tokenizer
    assert tokenizer.special == (0, 1, 2)
    for text in [*TEXTS, CORPUS]:
        assert tokenizer.encode(text).tolist() == plain.encode(text).ids
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path, gguf_file="model.gguf")
    for text in ["The quick fox", "it  jumps 12\n", "naïve 床 foxes"]:
        wanted = theirs(text, add_special_tokens=False).input_ids
        assert tokenizer.encode(text).tolist() == wanted


@pytest.mark.slow
def test_an_imported_model_reads_texts_in_its_graph(tmp_path):
    pytest.importorskip("gguf")
    path = import_model(write_scored_gguf(tmp_path / "model.gguf"), "tiny", tmp_path / "models")
    with load(path) as model:
        for text in ["The quick fox", "  twice 床"]:
            scored = model.score(text)
            assert list(scored.token_ids) == model.tokenizer.encode(text).tolist()
        written = model.generate("The qui", max_new_tokens=9, regex="[a-z ]*", seed=1).text
        assert not set(written) - set("abcdefghijklmnopqrstuvwxyz ")


def test_a_vocabulary_without_all_bytes_is_refused(tmp_path):
    pytest.importorskip("gguf")
    path = write_scored_gguf(tmp_path / "model.gguf", without=["<0x41>"])
    with pytest.raises(PublishedModelError, match="255 of 256"), open_published(path):
        pass


def test_another_way_of_spaces_is_refused(tmp_path):
    folder = write_hugging_face(tmp_path / "model", tensors(), vocab_size=len(VOCABULARY))
    values = json.loads(reference("always").to_str())
    values["normalizer"]["normalizers"].insert(0, {"type": "Lowercase"})
    (folder / "tokenizer.json").write_text(json.dumps(values), "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>"}))
    with pytest.raises(PublishedModelError, match="with byte_fallback"), open_published(folder):
        pass

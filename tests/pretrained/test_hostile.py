"""What is wrong with a published model is one sentence, and nothing is left behind."""

import contextlib
import json
import os
import struct

import numpy as np
import pytest

from tests.pretrained.checkpoints import (
    C,
    llama_tensors,
    tokenizer_json,
    write_gguf,
    write_hugging_face,
)
from textgen.errors import PublishedModelError
from textgen.importing import import_model
from textgen.pretrained import open_published

pytest.importorskip("safetensors")
pytest.importorskip("gguf")


@pytest.fixture
def folder(tmp_path):
    return write_hugging_face(tmp_path / "model")


@pytest.fixture
def file(tmp_path):
    return write_gguf(tmp_path / "model.gguf")


def assert_refused(source, match):
    """Reading the source, and reading all of its weights, fails in one sentence."""
    with pytest.raises(PublishedModelError, match=match) as caught, open_published(source) as model:
        dict(model.weights)
    assert "\n" not in str(caught.value)


def change_json(path, **changes):
    values = {**json.loads(path.read_text("utf-8")), **changes}
    path.write_text(json.dumps(values), "utf-8")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"model_type": "mamba"}, "kind 'mamba' are not supported; these are: gpt2, llama, "),
        ({"model_type": 7}, "kind 7 are not supported"),
        ({"model_type": "mistral", "sliding_window": C // 2}, "sliding window"),
        ({"layer_types": ["sliding_attention", "full_attention"]}, "sliding window"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "rope_type .* Received: 'yarn'"),
        ({"rope_scaling": {"type": "linear", "factor": 4.0}}, "Received: 'linear'"),
        ({"rope_parameters": {"rope_type": "dynamic"}}, "Received: 'dynamic'"),
        ({"hidden_act": "gelu"}, "hidden_act must be 'silu' or 'swish'"),
        ({"attention_bias": True}, "attention_bias must be False"),
        ({"num_hidden_layers": None}, "no num_hidden_layers"),
        ({"num_hidden_layers": 3}, "no tensor model.layers.2.input_layernorm.weight"),
        ({"num_hidden_layers": 1}, "weights that a model of its kind does not have"),
        ({"num_attention_heads": 3}, "num_heads must be a multiple of num_key_value_heads"),
        ({"hidden_size": 10**6}, "must have the shape"),
        ({"hidden_size": "wide"}, "hidden_dim must be"),
        ({"tie_word_embeddings": False}, "no tensor model.lm_head.weight|no tensor lm_head.weight"),
        ({"quantization_config": {"bits": 4}}, "quantized"),
    ],
)
def test_a_config_that_does_not_fit(folder, change, match):
    change_json(folder / "config.json", **change)
    assert_refused(folder, match)


def test_a_folder_without_parts(folder):
    (folder / "model.safetensors").rename(folder / "other")
    assert_refused(folder, "no weights: there is no model.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    assert_refused(folder, "because a pickle can run any code")
    (folder / "tokenizer.json").unlink()
    (folder / "other").rename(folder / "model.safetensors")
    assert_refused(folder, "no tokenizer.json")
    (folder / "config.json").unlink()
    assert_refused(folder, "no config.json")
    assert_refused(folder / "nowhere", "There is no file or folder")
    assert_refused(folder / "tokenizer_config.json", "must be a folder or a GGUF file")


@pytest.mark.parametrize("size", [0, 4, 100, 2000, -100])
def test_a_truncated_safetensors_file(folder, size):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    assert_refused(folder, "model.safetensors is truncated or damaged")


def test_weights_that_are_not_numbers(tmp_path):
    tensors = llama_tensors(np.random.default_rng(1))
    tensors["model.norm.weight"][3] = np.nan
    assert_refused(write_hugging_face(tmp_path / "nan", tensors), "not finite")
    tensors["model.norm.weight"] = np.ones(16, np.int8)
    assert_refused(write_hugging_face(tmp_path / "int8", tensors), "I8, as in a quantized")


def test_an_index_that_names_files_elsewhere(folder):
    index = folder / "model.safetensors.index.json"
    (folder / "model.safetensors").rename(folder.parent / "model.safetensors")
    index.write_text(json.dumps({"weight_map": {"a": "../model.safetensors"}}))
    assert_refused(folder, "leads out of the folder")
    index.write_text(json.dumps({"weight_map": {"a": "part-2.safetensors"}}))
    assert_refused(folder, "lacks the file part-2.safetensors")
    index.write_text("[]")
    assert_refused(folder, "not an object")


def test_links_and_pipes(folder, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for target in (tmp_path / "pipe", "/dev/zero"):
        (folder / "tokenizer_config.json").unlink()
        (folder / "tokenizer_config.json").symlink_to(target)
        assert_refused(folder, "leads out of the folder")
    (folder / "tokenizer_config.json").unlink()
    os.mkfifo(folder / "tokenizer_config.json")
    assert_refused(folder, "not a plain file")


def change_tokenizer(folder, **model):
    values = json.loads(tokenizer_json())
    values["model"] |= model
    (folder / "tokenizer.json").write_text(json.dumps(values), "utf-8")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"type": "Unigram"}, "must be byte-level BPE, or .* Received: Unigram"),
        ({"byte_fallback": True}, "BPE with byte_fallback"),
        ({"merges": [["t", "zz"]]}, "no token 'zz', of which a merge is made"),
        ({"merges": [7]}, "tokenizer.json is damaged"),
        ({"vocab": {"a": 0}}, "no token 't'"),
        ({"vocab": {"a": 10**9}}, "its largest id is"),
        ({"vocab": []}, "tokenizer.json is damaged"),
    ],
)
def test_a_tokenizer_of_another_kind(folder, change, match):
    change_tokenizer(folder, **change)
    assert_refused(folder, match)


@pytest.mark.parametrize("value", [None, -(10**6), [[]], {"a": 1}])
def test_values_of_another_type_are_refused_or_ignored(folder, value):
    about = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    tokenizer = json.loads(tokenizer_json())
    files = {"config.json": config, "tokenizer_config.json": about, "tokenizer.json": tokenizer}
    model, token = tokenizer["model"], tokenizer["added_tokens"][0]
    places = [
        (values, key) for values in (config, about, tokenizer, model, token) for key in values
    ]
    places += [(model["merges"], 0), (model["vocab"], "a"), (tokenizer["added_tokens"], 0)]
    places += [(about, "chat_template"), (about, "eos_token")]
    for place, key in places:
        old, place[key] = place[key], value
        for name, values in files.items():
            (folder / name).write_text(json.dumps(values), "utf-8")
        with contextlib.suppress(PublishedModelError), open_published(folder):
            pass
        place[key] = old


def test_a_tokenizer_that_cuts_texts_otherwise(folder):
    values = json.loads(tokenizer_json())
    for kind in ("Whitespace", "Metaspace"):
        values["pre_tokenizer"] = {"type": kind}
        (folder / "tokenizer.json").write_text(json.dumps(values), "utf-8")
        assert_refused(folder, f"must cut texts as .* Received: {kind}")


def test_a_tokenizer_that_changes_texts(folder):
    values = json.loads(tokenizer_json())
    values["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFC"}]}
    (folder / "tokenizer.json").write_text(json.dumps(values))
    with open_published(str(folder)) as published:
        assert published.tokenizer.normalize("e\u0301") == "\u00e9"
    values["normalizer"]["normalizers"].append({"type": "Lowercase"})
    (folder / "tokenizer.json").write_text(json.dumps(values))
    assert_refused(folder, "not normalize text.* Received: Lowercase")


def test_a_tokenizer_with_more_tokens_than_the_model(folder):
    values = json.loads(tokenizer_json())
    size = len(values["model"]["vocab"])
    values["model"]["vocab"]["zebra"] = size
    (folder / "tokenizer.json").write_text(json.dumps(values), "utf-8")
    assert_refused(folder, f"has {size + 1} tokens, but .* has only {size}")


def test_an_end_that_is_no_token(folder):
    change_json(folder / "tokenizer_config.json", eos_token="</s>")
    assert_refused(folder, "eos token '</s>' is not in the vocabulary")
    change_json(folder / "tokenizer_config.json", eos_token=None)
    assert_refused(folder, "does not say which token ends a text")


def test_a_chat_template_without_end(folder):
    (folder / "chat_template.jinja").write_text("a" * 70_000)
    assert_refused(folder, "chat template must have 65,536 characters or fewer")


@pytest.mark.parametrize("size", [0, 3, 4, 20, 100, 5000, -64])
def test_a_truncated_gguf_file(file, size):
    file.write_bytes(file.read_bytes()[:size])
    assert_refused(file, "GGUF file|is empty")


@pytest.mark.parametrize(
    ("offset", "value", "match"),
    [
        (0, b"GGML", "not a GGUF file"),
        (4, struct.pack("<I", 9), "version of a GGUF file must be 2 or 3"),
        (8, struct.pack("<Q", 2**60), "damaged"),
        (16, struct.pack("<Q", 2**60), "damaged"),
        (24, struct.pack("<Q", 2**60), "damaged"),
    ],
)
def test_a_gguf_file_with_another_header(file, offset, value, match):
    content = bytearray(file.read_bytes())
    content[offset : offset + len(value)] = value
    file.write_bytes(content)
    assert_refused(file, match)


def test_a_gguf_file_with_any_byte_changed_is_read_or_refused(file):
    content = file.read_bytes()
    noise = np.random.default_rng(0)
    for position in noise.integers(0, 8000, 300):
        changed = bytearray(content)
        changed[position] ^= 1 << int(noise.integers(8))
        file.write_bytes(changed)
        with contextlib.suppress(PublishedModelError), open_published(file) as model:
            dict(model.weights)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"pre": "deepseek-llm"}, "Received: 'gpt2' with the pre-tokenizer 'deepseek-llm'"),
        ({"rope_dimension_count": 2, "key_length": 4}, "rotate only a part"),
        ({"sliding_window": C // 2}, "sliding window"),
        ({"block_count": 7}, "no tensor blk.2"),
    ],
)
def test_a_gguf_file_of_another_kind(tmp_path, changes, match):
    assert_refused(write_gguf(tmp_path / "model.gguf", **changes), match)


def test_nothing_is_left_behind(folder, tmp_path):
    tensors = llama_tensors(np.random.default_rng(1))
    tensors["model.layers.1.mlp.down_proj.weight"][0] = np.inf
    write_hugging_face(folder, tensors)
    with pytest.raises(PublishedModelError):
        import_model(folder, models_dir=tmp_path / "models")
    assert not (tmp_path / "models").exists()

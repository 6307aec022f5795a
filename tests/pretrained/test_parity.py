"""An imported model computes and writes what the library that it was published for does."""

import numpy as np
import pytest
import tensorflow as tf

from tests.pretrained.checkpoints import (
    IDS,
    SIZE,
    decoder_of,
    llama_tensors,
    write_gguf,
    write_hugging_face,
    write_tokenizer,
)
from textgen.adaptation import score_adapting
from textgen.importing import import_model
from textgen.inference import load
from textgen.pretrained import open_published

pytest.importorskip("safetensors")
pytest.importorskip("gguf")

PROMPT = "in the on a 42nd then"
FIRST, END = IDS["<|endoftext|>"], IDS["<|im_end|>"]
SHARED = {"vocab_size": SIZE, "bos_token_id": FIRST, "eos_token_id": END}
LLAMA = {
    **SHARED,
    "hidden_size": 16,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
}
SCALED = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
CONFIGS = {
    "gpt2": ("GPT2Config", {**SHARED, "n_embd": 16, "n_head": 4, "n_layer": 2, "n_positions": 64}),
    "llama": ("LlamaConfig", {**LLAMA, "rope_parameters": SCALED}),
    "mistral": ("MistralConfig", {**LLAMA, "head_dim": 6, "sliding_window": None}),
    "qwen2": ("Qwen2Config", {**LLAMA, "tie_word_embeddings": True}),
    "qwen3": ("Qwen3Config", {**LLAMA, "head_dim": 8}),
}


@pytest.fixture(scope="module", params=CONFIGS)
def reference(request, tmp_path_factory):
    """A random model of `transformers`, and the folder that it is saved in, with a tokenizer."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    name, settings = CONFIGS[request.param]
    torch.manual_seed(1)
    model = transformers.AutoModelForCausalLM.from_config(getattr(transformers, name)(**settings))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.2)
    folder = tmp_path_factory.mktemp(request.param)
    # In several files, as large models are.
    model.eval().save_pretrained(folder, max_shard_size="20KB")
    assert (folder / "model.safetensors.index.json").exists()
    write_tokenizer(folder)
    return model, folder


def our_logits(published, ids):
    """The logits after each of some tokens, float32[T, V]."""
    decoder = decoder_of(published)
    hidden, _ = decoder.prefill(tf.constant([ids]), tf.constant([len(ids)]))
    return decoder.logits(hidden[0]).numpy()


def test_logits_are_those_of_transformers(reference):
    import torch

    model, folder = reference
    with open_published(folder) as published:
        ids = [FIRST, *map(int, published.tokenizer.encode(PROMPT))]
        with torch.no_grad():
            wanted = model(torch.tensor([ids])).logits[0].numpy()
        np.testing.assert_allclose(our_logits(published, ids), wanted, atol=1e-3, rtol=1e-3)
        assert published.num_parameters == sum(p.numel() for p in model.parameters())


def test_every_kind_adapts_to_a_text(reference, tmp_path):
    _, folder = reference
    with load(import_model(folder, models_dir=tmp_path)) as model:
        text = f"{PROMPT}. " * 12
        (fixed,), (adapted,) = score_adapting(model, [text], rate=1e-2)
        wanted = model.score(text).token_logprobs
        np.testing.assert_allclose(fixed.token_logprobs, wanted, atol=1e-3)
        assert adapted.bits < 0.95 * fixed.bits


def test_a_gguf_file_holds_the_same_model_as_a_folder(tmp_path):
    tensors = llama_tensors(np.random.default_rng(3))
    sources = (
        write_hugging_face(tmp_path / "tiny", tensors),
        write_gguf(tmp_path / "tiny.gguf", tensors),
    )
    with open_published(sources[0]) as folder, open_published(sources[1]) as file:
        assert folder.config.num_key_value_heads == file.config.num_key_value_heads == 2
        assert folder.tokenizer.to_dict() == file.tokenizer.to_dict()
        assert folder.chat_template == file.chat_template
        assert file.summary.license == "apache-2.0"
        assert set(folder.weights) == set(file.weights)
        for name, value in folder.weights.items():
            np.testing.assert_array_equal(value, file.weights[name], err_msg=name)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("GPT2", {"num_heads": 4, "max_sequence_length": 64}),
        ("Llama3", {"num_query_heads": 4, "num_key_value_heads": 2}),
        ("Qwen3", {"num_query_heads": 4, "num_key_value_heads": 2, "head_dim": 8}),
        ("Qwen", {"num_query_heads": 4, "num_key_value_heads": 2}),
    ],
)
def test_a_preset_of_keras_hub_computes_the_same(kind, settings, tmp_path):
    import keras_nlp

    from tests.pretrained.checkpoints import write_preset_tokenizer

    backbone = getattr(keras_nlp.models, f"{kind}Backbone")(
        vocabulary_size=SIZE, num_layers=2, hidden_dim=16, intermediate_dim=24, **settings
    )
    noise = np.random.default_rng(1)
    for variable in backbone.weights:
        variable.assign(variable + noise.normal(0, 0.2, variable.shape))
    backbone.save_to_preset(str(tmp_path / "preset"))
    write_preset_tokenizer(tmp_path / "preset", f"{kind}Tokenizer")
    with open_published(tmp_path / "preset") as published:
        ids = [FIRST, *map(int, published.tokenizer.encode(PROMPT))]
        logits = our_logits(published, ids)
    given = np.array([ids])
    hidden = backbone({"token_ids": given, "padding_mask": np.ones_like(given)})
    wanted = backbone.token_embedding(hidden, reverse=True)[0]
    np.testing.assert_allclose(logits, wanted, atol=1e-3, rtol=1e-3)

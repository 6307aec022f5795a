"""A session tells the graph of its model how many threads an operation has."""

import pytest

from textgen.config import ModelConfig
from textgen.models import kernel_parts
from textgen.runtime import SavedModel
from textgen.tokenizer import CharacterTokenizer


@pytest.mark.parametrize("family", ["transformer", "llama"])
def test_a_model_with_wide_kernels_generates_the_same_on_any_number_of_threads(
    export_model, monkeypatch, family
):
    monkeypatch.setattr(kernel_parts, "_MIN_WEIGHTS", 0)
    config = ModelConfig(family, num_layers=1, num_heads=2, hidden_dim=16, context_length=12)
    tokenizer = CharacterTokenizer.learn(["abcdefgh"])
    path = export_model(f"wide-{family}", config, tokenizer, seed=4).path
    texts = []
    for num_threads in (1, 2, 8):
        with SavedModel(path, intra_op_threads=num_threads) as model:
            assert model._backend._num_threads[1].numpy() == num_threads
            result = model.run("generate", prompts=["abc"], max_new_tokens=[20], seed=[7])
            texts.append(result["text"].tolist())
    assert texts == texts[:1] * 3

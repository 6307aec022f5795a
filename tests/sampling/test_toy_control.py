"""A new sampler is one function and one row: everything else follows from them."""

# In a process of its own, because the table is read when the modules are imported.
TOY = '''
import dataclasses

from textgen import config
from textgen.config import controls, sampling

ROW = controls.Number(
    default=0.0, low=0, high=1, off=0, clamp=(0, 1), stage=controls.Stage.TRUNCATION,
    help="Share of the most likely token that is removed; 0 is off.",
)

@controls.documented
@dataclasses.dataclass(frozen=True)
class WithToy(sampling.SamplingConfig):
    """Sampling with one more control."""

    surprise: float = controls.row(ROW)

sampling.SamplingConfig = config.SamplingConfig = WithToy

import tensorflow as tf
from textgen.sampling.registry import turned_on_by

@turned_on_by("surprise")
def remove_most_likely(logits, surprise):
    best = tf.reduce_max(logits, axis=1, keepdims=True)
    return tf.where((logits == best) & (surprise > 0)[:, None], float("-inf"), logits)
'''

PROVE = """
from click.testing import CliRunner
from textgen.cli.generate import generate
from textgen.errors import ConfigError
from textgen.generation import Generator, default_inputs
from textgen.models import build_model
from textgen.tokenizer import CharacterTokenizer

try:
    config.SamplingConfig(surprise=2)
except ConfigError as error:
    print(error)
print("    surprise: Share" in config.SamplingConfig.__doc__)
print("--surprise FLOAT" in CliRunner().invoke(generate, ["--help"]).output)
print(default_inputs()["surprise"].dtype)

tokenizer = CharacterTokenizer.learn(["abcdef"])
model = build_model(config.ModelConfig("lstm", num_layers=1, hidden_dim=8), tokenizer.vocab_size)
generator = Generator.of_model(model, tokenizer, has_documents=False)

def best(surprise):
    given = {"max_new_tokens": tf.constant([1]), "temperature": tf.constant([0.0])}
    given["surprise"] = tf.constant([surprise])
    output = generator.generate(tf.constant(["a"]), {**given, "logprobs": tf.constant([2])})
    return output.top_token_ids[0, 0].numpy().tolist().index(output.token_ids[0, 0])

# Out of range, it is clamped; NaN turns it off.
print(best(0.0), best(1.0), best(7.0), best(float("nan")))
"""


def test_a_toy_control_works_everywhere(run_python):
    output, _ = run_python(TOY + PROVE)
    assert output.splitlines() == [
        "surprise must be in [0, 1]. Received: 2",
        "True",
        "True",
        "float32",
        "0 1 1 0",
    ]

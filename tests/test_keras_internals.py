"""The private parts of Keras and KerasNLP that textgen uses are what it takes them for.

When a newer version fails here, mend textgen/keras_internals.py, or keep the version out in
setup.cfg.
"""

import inspect

import keras
import keras_nlp
import numpy as np
import pytest

from textgen.keras_internals import CustomAttentionBlock

OVERRIDDEN = [
    (keras.optimizers.AdamW, "_get_current_learning_rate", [], "computes the schedule once"),
    (keras.optimizers.AdamW, "_all_reduce_sum_gradients", ["grads_and_vars"], "sums no gradient"),
    (keras.optimizers.Muon, "_get_current_learning_rate", [], "computes the schedule once"),
    (keras.optimizers.Muon, "_all_reduce_sum_gradients", ["grads_and_vars"], "sums no gradient"),
    (keras.optimizers.Muon, "_should_use_adamw", ["variable"], "says what a matrix is"),
    (
        keras.optimizers.Muon,
        "_backend_update_step",
        ["grads", "trainable_variables", "learning_rate"],
        "finds the directions of all matrices together",
    ),
    (keras.optimizers.Muon, "_get_variable_index", ["variable"], "finds a matrix's momentum"),
    (
        keras.layers.MultiHeadAttention,
        "_compute_attention",
        ["query", "key", "value", "attention_mask", "training"],
        "replaces attention",
    ),
    (
        keras.layers.MultiHeadAttention,
        "_masked_softmax",
        ["attention_scores", "attention_mask"],
        "masks scores",
    ),
]


@pytest.mark.parametrize(("owner", "name", "parameters", "purpose"), OVERRIDDEN)
def test_a_private_method_takes_what_it_took(owner, name, parameters, purpose):
    method = getattr(owner, name, None)
    where = f"keras {keras.__version__}: {owner.__name__}.{name}, with which textgen {purpose},"
    assert method is not None, f"{where} is gone"
    now = list(inspect.signature(method).parameters)[1:]
    assert now[: len(parameters)] == parameters, f"{where} takes {now} now, not {parameters}"


class Averaging(CustomAttentionBlock):
    """A block whose attention goes to all the past alike."""

    def attend(self, query, key, value, normalize):
        scores = keras.ops.zeros_like(keras.ops.einsum("bihk,bjhk->bhij", query, key))
        return keras.ops.einsum("bhij,bjhk->bihk", normalize(scores), value)


def test_a_block_attends_as_its_subclass_says():
    about = f"keras-nlp {keras_nlp.__version__} does not ask the block for its attention any more"
    block = Averaging(intermediate_dim=8, num_heads=2, normalize_first=True)
    x = np.random.default_rng(0).normal(size=(1, 5, 4)).astype(np.float32)
    block(x)
    # Whatever queries and keys are, attention stays the same: nothing but values counts.
    before = np.asarray(block(x))
    for variable in block.trainable_variables:
        if "query" in variable.path or "/key/" in variable.path:
            variable.assign(variable + 1.0)
    np.testing.assert_array_equal(np.asarray(block(x)), before, err_msg=about)
    # And no token sees the future.
    changed = x.copy()
    changed[:, 3:] += 1
    np.testing.assert_allclose(block(changed)[:, :3], before[:, :3], atol=1e-6, err_msg=about)


def test_dropout_of_attention_is_the_block_s():
    block = Averaging(intermediate_dim=8, num_heads=2, dropout=0.5)
    block.build((1, 5, 4))
    layer = getattr(block, "_self_attention_layer", None)
    assert layer is not None, "KerasNLP calls the attention of a block otherwise now"
    assert hasattr(layer, "_dropout_layer"), "Keras calls the dropout of attention otherwise now"
    assert layer._dropout_layer.rate == 0.5

"""A step learns the same from a batch, whole or in parts."""

import json
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from textgen.config import ModelConfig, TrainingConfig
from textgen.errors import ConfigError
from textgen.training.dtype import choose_dtype
from textgen.training.step import Step


def losses(trainer):
    trainer.fit()
    lines = [json.loads(line) for line in trainer.history.path.open()]
    return np.array([[line["loss"], line["validation_loss"]] for line in lines])


@pytest.mark.parametrize(
    ("architecture", "optimizer", "jit"),
    [
        ("transformer", "muon", False),
        ("lstm", "adamw", False),
        pytest.param("transformer", "adamw", True, marks=pytest.mark.slow),
        pytest.param("lstm", "muon", True, marks=pytest.mark.slow),
    ],
)
def test_micro_batches_give_the_losses_of_the_whole_batch(
    make_trainer, architecture, optimizer, jit
):
    settings = {
        "model": {"architecture": architecture},
        "optimizer": optimizer,
        "jit_compile": jit,
        "clip_norm": 0.1,
        "learning_rate": 1e-2,
        "max_steps": 24,
        "validate_every": 3,
    }
    whole = losses(make_trainer("whole", **settings))
    in_parts = losses(make_trainer("parts", accumulate=4, **settings))
    assert len(whole) == 8
    np.testing.assert_allclose(in_parts, whole, rtol=1e-5)


def test_micro_batches_of_a_large_model_are_learned_in_call_after_call():
    # TensorFlow rearranges sums if their inputs seem to take more than 200 MB.
    model = ModelConfig(num_layers=2, num_heads=2, hidden_dim=64, context_length=128, dropout=0.0)
    config = TrainingConfig(batch_size=256, accumulate=2, jit_compile=False, learning_rate=1e-3)
    step = Step(model, config, 12, tf.distribute.get_strategy())
    batches = np.random.default_rng(0).integers(0, 12, (2, 256, 129), np.int32)
    for _ in range(2):
        measures = step.run(batches, 0, np.ones(2, np.float32))
    assert np.isfinite(measures).all()


def test_many_models_trained_in_a_process_are_not_called_one_that_is_traced_again(
    make_trainer, caplog
):
    caplog.set_level("WARNING", "tensorflow")
    for _ in range(6):
        trainer = make_trainer()
        trainer._step.validate(*next(iter(trainer.validation)))
    assert [record for record in caplog.records if "retracing" in record.getMessage()] == []


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["transformer", "lstm"])
def test_micro_batches_in_mixed_precision_agree_as_far_as_bfloat16_reaches(
    make_trainer, architecture
):
    settings = {
        "model": {"architecture": architecture},
        "mixed_precision": True,
        "max_steps": 24,
        "validate_every": 4,
    }
    whole = losses(make_trainer("whole", **settings))
    in_parts = losses(make_trainer("parts", accumulate=2, **settings))
    np.testing.assert_allclose(in_parts, whole, rtol=2**-8)  # its mantissa has 8 bits


def test_bfloat16_outside_xla_learns_what_float32_inside_it_does(make_trainer):
    settings = {"max_steps": 24, "validate_every": 4, "model": {"num_layers": 2}}
    inside = losses(make_trainer("inside", jit_compile=True, **settings))
    outside = losses(make_trainer("outside", mixed_precision=True, **settings))
    np.testing.assert_allclose(outside, inside, rtol=2**-6)


def test_no_two_steps_layers_or_micro_batches_share_a_dropout_mask(make_trainer):
    trainer = make_trainer(model={"dropout": 0.5, "num_layers": 2}, accumulate=4)
    seeds = [trainer._step._dropout_seeds(np.int64(step)).numpy() for step in range(5)]
    assert seeds[0].shape[0] == 4
    assert seeds[0].shape[1] >= 2
    flat = np.concatenate(seeds).reshape(-1, 2)
    assert len(np.unique(flat, axis=0)) == len(flat)


def test_validation_takes_no_more_windows_at_once_than_training_can_hold(make_trainer, tokens):
    long = np.tile(tokens, -(-4_000 // len(tokens)))
    assert make_trainer(text=long, batch_size=256, accumulate=2).validation.batch_size == 128
    assert make_trainer(text=long, batch_size=256, accumulate=64).validation.batch_size == 64


def test_validation_takes_no_more_windows_at_once_than_there_are(make_trainer, tokens):
    eleven = np.tile(tokens, 440 // len(tokens) + 1)[:440]
    assert make_trainer(text=eleven, batch_size=256, accumulate=64).validation.batch_size == 12


@pytest.mark.parametrize(("batch_size", "accumulate"), [(5, 1), (6, 3), (6, 2)])
def test_a_batch_that_cannot_be_shared_out_evenly_is_an_error(make_trainer, batch_size, accumulate):
    class FourReplicas:
        num_replicas_in_sync = 4
        cluster_resolver = None

    received = f"batch_size={batch_size}, replicas=4, accumulate={accumulate}"
    with pytest.raises(ConfigError, match=received):
        make_trainer(strategy=FourReplicas(), batch_size=batch_size, accumulate=accumulate)


def test_a_batch_that_has_no_such_parts_is_an_error_before_any_device_is_asked():
    with pytest.raises(ConfigError, match="batch_size=16, accumulate=3"):
        TrainingConfig(batch_size=16, accumulate=3)


@pytest.mark.parametrize(
    ("capabilities", "architecture", "asked", "dtype"),
    [
        ([], "transformer", None, "float32"),
        ([(9, 0)], "transformer", None, "mixed_bfloat16"),
        ([(9, 0), (7, 5)], "transformer", None, "float32"),
        ([(9, 0)], "lstm", None, "float32"),
        ([(9, 0)], "transformer", False, "float32"),
        ([], "lstm", True, "mixed_bfloat16"),
    ],
)
def test_bfloat16_is_chosen_where_all_gpus_are_made_for_it(
    monkeypatch, capabilities, architecture, asked, dtype
):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: capabilities)
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": gpu}
    )
    assert choose_dtype(TrainingConfig(mixed_precision=asked), ModelConfig(architecture)) == dtype


def traced_for_a_gpu(monkeypatch, architecture):
    """The graph of a step's gradients as a machine with a new GPU makes it, by op and type."""
    gpu, ours = tf.config.LogicalDevice("/device:GPU:0", "GPU"), tf.config.list_logical_devices
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind: [gpu] if kind == "GPU" else ours(kind)
    )
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [gpu])
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda _: {"compute_capability": (9, 0)}
    )
    shape = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "context_length": 6}
    learner = Step(
        ModelConfig(architecture, **shape),
        TrainingConfig(batch_size=4, max_steps=1),
        11,
        tf.distribute.get_strategy(),
    )
    seeds = learner._dropout_seeds(tf.constant(0, tf.int64))
    graph = learner._gradients_graph.get_concrete_function(
        tf.TensorSpec((4, 7), tf.int32),
        tf.TensorSpec((), tf.float32),
        tf.TensorSpec(seeds.shape, seeds.dtype),
    )
    ops = Counter((node.op, node.attr["T"].type) for node in graph.graph.as_graph_def().node)
    return ops, graph.function_def.attr["_XlaMustCompile"].b


def test_on_a_gpu_the_lstm_runs_on_cudnn(monkeypatch):
    ops, is_jit = traced_for_a_gpu(monkeypatch, "lstm")
    assert not is_jit  # XLA has no cuDNN LSTM.
    for direction in ("CudnnRNNV3", "CudnnRNNBackpropV3"):
        assert ops[direction, tf.float32.as_datatype_enum] == 2
    assert not {op for op, _ in ops} & {"While", "StatelessWhile"}


def test_on_a_new_gpu_the_transformer_multiplies_in_bfloat16(monkeypatch):
    ops, is_jit = traced_for_a_gpu(monkeypatch, "transformer")
    assert is_jit
    assert ops["BatchMatMulV2", tf.bfloat16.as_datatype_enum] > 0
    assert ops["BatchMatMulV2", tf.float32.as_datatype_enum] == 0
    # The logits and their two gradients: small ones would be lost.
    assert ops["MatMul", tf.float32.as_datatype_enum] == 3


@pytest.mark.parametrize("accumulate", [1, 2])
def test_only_tokens_that_are_to_be_learned_count(accumulate):
    """A batch with padding learns what the batch without it does, however it is divided."""
    model = ModelConfig("lstm", num_layers=1, hidden_dim=8, context_length=6, dropout=0.0)
    config = TrainingConfig(batch_size=4, accumulate=accumulate, jit_compile=False)
    rows = np.random.default_rng(0).integers(3, 11, (1, 4, 7)).astype(np.int32)
    rows[0, :2, 5:] = ~rows[0, :2, 5:]  # two rows of four targets, two of six
    step = Step(model, config, 11, tf.distribute.get_strategy())
    logits = tf.nn.log_softmax(step.model(np.maximum(rows, ~rows)[0, :, :-1], training=False))
    targets = rows[0, :, 1:]
    own = [
        -logits[row, column, token]
        for row, line in enumerate(targets)
        for column, token in enumerate(line)
        if token >= 0
    ]
    loss, _ = step.run(rows, 0, np.ones(1, np.float32))[0]
    assert loss == pytest.approx(np.mean(own), abs=1e-5)
    other = rows.copy()
    other[0, 0, 5:] = ~np.int32(7)  # after the last target of its row
    again = Step(model, config, 11, tf.distribute.get_strategy())
    again.run(other, 0, np.ones(1, np.float32))
    for mine, theirs in zip(step.model.weights, again.model.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)

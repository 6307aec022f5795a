"""Several devices or processes learn what one device does."""

import dataclasses
import json
import os
import signal
import socket
import subprocess

import numpy as np
import pytest
import tensorflow as tf

import textgen
from tests.waiting import PATIENCE, wait_until
from textgen.errors import DeviceError
from textgen.training.checkpoints import Checkpoints
from textgen.training.distribution import build_strategy, reporting_device_errors


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        ("", "--xla_gpu_enable_triton_gemm=false"),
        ("--xla_dump_to=/x", "--xla_dump_to=/x --xla_gpu_enable_triton_gemm=false"),
        ("--xla_gpu_enable_triton_gemm=true", "--xla_gpu_enable_triton_gemm=true"),
    ],
)
def test_xla_compiles_sooner_for_gpus_unless_the_user_decides(monkeypatch, flags, kept):
    monkeypatch.setenv("XLA_FLAGS", flags)
    build_strategy("none")
    assert os.environ["XLA_FLAGS"] == kept


TWO_DEVICES = """
import json, sys
from pathlib import Path
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from textgen.config import ModelConfig, TrainingConfig
from textgen.models import build_model
from textgen.training.checkpoints import Checkpoints
from textgen.training.distribution import build_strategy
from textgen.training.history import History
from textgen.training.loop import Trainer
from textgen.windows import cut_windows

folder, architecture, optimizer, jit = Path(sys.argv[1]), *sys.argv[2:]
shape = ModelConfig(architecture, num_layers=1, num_heads=2, hidden_dim=16, context_length=8,
                    dropout=0)
from_parent = jit == "adapters of a parent"
weights = build_model(shape, 11, 3).decoder_weights() if from_parent else None
tokens = np.random.default_rng(0).integers(3, 11, 400)
for name, strategy, replicas, accumulate in (
    ("one", "none", 1, 1), ("two", "mirrored", 2, 1), ("two in parts", "mirrored", 2, 2)
):
    strategy = build_strategy(strategy)
    assert strategy.num_replicas_in_sync == replicas
    config = TrainingConfig(max_steps=100, batch_size=4, accumulate=accumulate, validate_every=10,
                            clip_norm=0.1, optimizer=optimizer, learning_rate=1e-2,
                            jit_compile=None if jit == "jit" else False,
                            adapter_rank=2 if from_parent else None)
    Trainer(
        shape, config, 11, cut_windows(tokens[:320], tokens[320:], config, 8),
        Checkpoints(folder / name), History(folder / f"{name}.jsonl"), strategy,
        has_parent=from_parent, parent_weights=weights,
    ).fit()
"""


def slots_norm(folder):
    """The Euclidean norm of all the optimizer's running means."""
    arrays, _ = Checkpoints(folder).load_newest()
    slots = [a for name, a in arrays.items() if name.startswith("optimizer/") and a.ndim]
    return np.sqrt(sum(np.sum(np.square(a, dtype=np.float64)) for a in slots))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "optimizer", "jit"),
    [
        ("transformer", "muon", "no jit"),
        ("lstm", "adamw", "jit"),
        ("llama", "adamw", "adapters of a parent"),
    ],
)
def test_two_devices_learn_what_one_does(
    tmp_path, fork_python, read_history, architecture, optimizer, jit
):
    process = fork_python(TWO_DEVICES, tmp_path, architecture, optimizer, jit)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    one, *others = (tmp_path / name for name in ("one", "two", "two in parts"))
    expected = read_history(f"{one}.jsonl")
    # A run that begins from a model first measures that.
    assert len(expected) == (11 if jit == "adapters of a parent" else 10)
    for other in others:
        history = read_history(f"{other}.jsonl")
        for key in ("loss", "validation_loss"):
            wanted = [v[key] for v in expected]
            np.testing.assert_allclose([v[key] for v in history], wanted, rtol=1e-5)
        # Losses hardly show the scale of gradients, which both optimizers divide out; their
        # running means do: a sum over the replicas that was taken twice would double them.
        assert slots_norm(other) == pytest.approx(slots_norm(one), rel=1e-3)


CORPUS = "The quick brown fox jumps over the lazy dog. " * 40

WORKER = """
import json, sys
import textgen
from tests import light_runs
light_runs.without_samples()
light_runs.without_graph()
corpus, models, config, max_steps = sys.argv[1:]
if max_steps:
    trained = textgen.resume([], "mine", models_dir=models, max_steps=int(max_steps))
else:
    config = textgen.RunConfig.from_dict(json.loads(config))
    trained = textgen.train([corpus], "mine", config, models)
result = trained.result
print(json.dumps([str(trained.path), result.is_chief, result.step, result.validation_loss]))
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@pytest.fixture
def start_workers(tmp_path, start_python, fork_python):
    """Start a worker for each config, on a small corpus.

    `max_steps` resumes the run; `fresh` workers begin and end as whole programs.
    """
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(CORPUS, "utf-8")

    def start(*configs, max_steps="", fresh=False):
        start_one = start_python if fresh else fork_python
        cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(len(configs))]}
        return [
            start_one(
                WORKER,
                *(corpus, tmp_path / "models", json.dumps(config.to_dict()), max_steps),
                TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}}),
                TMPDIR=str(tmp_path),
            )
            for i, config in enumerate(configs)
        ]

    return start


def outcomes(workers):
    """What each worker printed at its end."""
    ended = []
    for worker in workers:
        try:
            output, errors = worker.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            for each in workers:
                each.kill()
            pytest.fail("\n".join(each.communicate()[1][-3000:] for each in workers))
        assert worker.returncode == 0, errors
        ended.append(json.loads(output.splitlines()[-1]))
    return ended


def make_config(**training):
    return textgen.RunConfig(
        model=textgen.ModelConfig(
            num_layers=1, num_heads=2, hidden_dim=16, context_length=8, dropout=0.0
        ),
        training=textgen.TrainingConfig(
            **{"max_steps": 40, "batch_size": 4, "validate_every": 20, "jit_compile": False}
            | training
        ),
    )


@pytest.mark.slow
@pytest.mark.usefixtures("without_samples", "without_graph")
def test_two_workers_give_the_losses_of_one_and_only_the_chief_writes(
    tmp_path, start_workers, read_history
):
    config = make_config(strategy="multi-worker", accumulate=2, jit_compile=None)
    chief, other = outcomes(start_workers(config, config, fresh=True))
    folder = tmp_path / "models" / "mine"
    assert chief[:3] == [str(folder / "1"), True, 40]
    assert other[:3] == ["None", False, 40]
    assert other[3] == chief[3]
    # Neither a second version nor a run of the other's.
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["1", "train"]
    # The other worker keeps its tokens to itself, and takes them away when it ends.
    assert list(tmp_path.glob("textgen-worker-*")) == []

    config = make_config(strategy="none", jit_compile=None)
    textgen.train([tmp_path / "corpus.txt"], "mine", config, tmp_path / "alone")
    together, alone = (
        read_history(models / "mine" / "train" / "history.jsonl")
        for models in (tmp_path / "models", tmp_path / "alone")
    )
    assert len(together) == len(alone) == 2
    for key in ("loss", "validation_loss"):
        np.testing.assert_allclose([v[key] for v in together], [v[key] for v in alone], rtol=5e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("without_samples", "without_graph")
def test_two_workers_train_adapters_of_a_parent_as_one_does(tmp_path, start_workers):
    corpus, models = [tmp_path / "corpus.txt"], tmp_path / "models"

    def begun(strategy):
        config = make_config(strategy=strategy, validate_every=10, max_steps=20)
        training = dataclasses.replace(config.training, adapter_rank=2)
        return dataclasses.replace(config, training=training, from_model="parent")

    config = begun("multi-worker")
    textgen.train(corpus, "parent", make_config(), models)
    chief, other = outcomes(start_workers(config, config))
    assert other[3] == chief[3]
    alone = textgen.train(corpus, "alone", begun("none"), models).result
    assert chief[3] == pytest.approx(alone.validation_loss, rel=1e-5)
    assert (models / "mine" / "train" / "parent").is_dir()
    resumed = outcomes(start_workers(config, config, max_steps=30))
    assert [outcome[1:3] for outcome in resumed] == [[True, 30], [False, 30]]


ENDLESS = {"strategy": "multi-worker", "max_steps": 10**6, "keep_checkpoints": 1}


def wait_for_checkpoint(train, workers):
    wait_until(lambda: list(train.glob("checkpoints/step-*.npz")), *workers)


def assert_it_says_so(survivor):
    _, errors = survivor.communicate(timeout=PATIENCE)
    assert survivor.returncode == 1
    assert errors.splitlines()[-1].startswith(
        "textgen.errors.DeviceError: Another worker stopped responding"
    )


@pytest.mark.slow
def test_where_the_chief_dies_the_other_says_so_and_both_go_on_from_the_checkpoint(
    tmp_path, start_workers, read_history
):
    config = make_config(**ENDLESS)
    train = tmp_path / "models" / "mine" / "train"
    workers = start_workers(config, config)
    wait_for_checkpoint(train, workers)
    chief, other = workers
    chief.kill()
    assert_it_says_so(other)
    (checkpoint,) = train.glob("checkpoints/step-*.npz")
    reached = int(checkpoint.stem[5:])

    ended = outcomes(start_workers(config, config, max_steps=reached + 30))
    assert [outcome[1:3] for outcome in ended] == [[True, reached + 30], [False, reached + 30]]
    steps = [line["step"] for line in read_history(train / "history.jsonl")]
    assert steps == [*range(20, reached + 30, 20), reached + 30]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "hangs"])
def test_where_another_worker_is_lost_the_chief_says_so(tmp_path, start_workers, how):
    config = make_config(**ENDLESS)
    chief, other = workers = start_workers(config, config)
    wait_for_checkpoint(tmp_path / "models" / "mine" / "train", workers)
    other.send_signal(how)
    try:
        assert_it_says_so(chief)
    finally:
        other.kill()


@pytest.mark.slow
def test_workers_with_different_settings_or_corpora_do_not_begin(tmp_path, start_workers):
    configs = [make_config(strategy="multi-worker", seed=seed) for seed in (0, 1)]
    for worker in start_workers(*configs):
        _, errors = worker.communicate(timeout=PATIENCE)
        assert "same corpus with the same settings" in errors.splitlines()[-1]
    assert not (tmp_path / "models" / "mine" / "train").exists()


@pytest.mark.slow
def test_a_cluster_of_one_worker_trains(start_workers):
    config = make_config(strategy="multi-worker", max_steps=4)
    (outcome,) = outcomes(start_workers(config, fresh=True))
    assert outcome[1:3] == [True, 4]


def test_multi_worker_without_a_cluster_says_what_is_missing(monkeypatch):
    for text in ("", "{", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}'):
        monkeypatch.setenv("TF_CONFIG", text)
        with pytest.raises(DeviceError, match="TF_CONFIG"):
            build_strategy("multi-worker")
    outside = {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(outside))
    with pytest.raises(DeviceError, match="not in its cluster"):
        build_strategy("multi-worker")


def test_a_strategy_of_one_device_trains_as_none_does(make_trainer):
    histories = []
    for name in ("none", "mirrored"):
        trainer = make_trainer(name, strategy=build_strategy(name))
        trainer.fit()
        histories.append(json.loads(trainer.history.path.read_text().splitlines()[-1])["loss"])
    assert histories[1] == pytest.approx(histories[0], rel=1e-6)


@pytest.mark.parametrize(
    ("error", "strategy", "message"),
    [
        (tf.errors.UnavailableError, "multi-worker", "Another worker stopped responding"),
        (tf.errors.ResourceExhaustedError, "none", "does not have enough memory for a step"),
    ],
)
def test_what_went_wrong_with_a_device_is_one_sentence(error, strategy, message):
    with pytest.raises(DeviceError, match=message), reporting_device_errors(strategy):
        raise error(None, None, "OOM when allocating tensor\nand many lines more")


def test_one_process_has_no_other_worker_to_lose():
    with pytest.raises(tf.errors.UnavailableError), reporting_device_errors("none"):
        raise tf.errors.UnavailableError(None, None, "")

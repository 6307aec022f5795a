"""Several devices or processes learn what one device does."""

import json
import socket
import subprocess

import numpy as np
import pytest

import textgen

pytestmark = pytest.mark.slow

TWO_DEVICES = """
import json, sys
from pathlib import Path
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from textgen.config import ModelConfig, TrainingConfig
from textgen.training.checkpoints import Checkpoints
from textgen.training.distribution import build_strategy
from textgen.training.history import History
from textgen.training.loop import Trainer

folder, optimizer = Path(sys.argv[1]), sys.argv[2]
tokens = np.random.default_rng(0).integers(3, 11, 400)
for name, replicas in (("none", 1), ("mirrored", 2)):
    strategy = build_strategy(name)
    assert strategy.num_replicas_in_sync == replicas
    Trainer(
        ModelConfig(num_layers=1, num_heads=2, hidden_dim=16, context_length=8, dropout=0),
        TrainingConfig(max_steps=20, batch_size=4, validate_every=1, clip_norm=0.1,
                       optimizer=optimizer, learning_rate=1e-2, jit_compile=False),
        11, tokens[:320], tokens[320:],
        Checkpoints(folder / name), History(folder / f"{name}.jsonl"), strategy,
    ).fit()
"""


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_two_devices_give_the_losses_of_one(tmp_path, start_python, read_history, optimizer):
    process = start_python(TWO_DEVICES, tmp_path, optimizer)
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    one, two = (read_history(tmp_path / f"{name}.jsonl") for name in ("none", "mirrored"))
    assert len(one) == 20
    for key in ("loss", "validation_loss"):
        np.testing.assert_allclose([v[key] for v in two], [v[key] for v in one], rtol=2e-6)


WORKER = """
import json, sys
import textgen
corpus, models, config = sys.argv[1:]
trained = textgen.train([corpus], "mine", textgen.RunConfig.from_dict(json.loads(config)), models)
outcome = trained.outcome
print(json.dumps([str(trained.path), outcome.is_chief, outcome.step, outcome.validation_loss]))
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


def test_two_workers_give_the_losses_of_one_and_only_the_chief_writes(
    tmp_path, start_python, read_history
):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("The quick brown fox jumps over the lazy dog. " * 40, "utf-8")

    def config(strategy):
        return textgen.RunConfig(
            model=textgen.ModelConfig(
                num_layers=1, num_heads=2, hidden_dim=16, context_length=8, dropout=0.0
            ),
            training=textgen.TrainingConfig(
                max_steps=40, batch_size=4, validate_every=20, jit_compile=False, strategy=strategy
            ),
        )

    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    workers = [
        start_python(
            WORKER,
            corpus,
            tmp_path / "models",
            json.dumps(config("multi-worker").to_dict()),
            TF_CONFIG=json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}),
            TMPDIR=str(tmp_path),
        )
        for index in range(2)
    ]
    ended = []
    for worker in workers:
        try:
            output, errors = worker.communicate(timeout=150)
        except subprocess.TimeoutExpired:
            for each in workers:
                each.kill()
            pytest.fail("\n".join(each.communicate()[1][-3000:] for each in workers))
        assert worker.returncode == 0, errors
        ended.append(json.loads(output.splitlines()[-1]))
    chief, other = ended
    folder = tmp_path / "models" / "mine"
    assert chief[:3] == [str(folder / "1"), True, 40]
    assert other[:3] == ["None", False, 40]
    assert other[3] == chief[3]
    assert sorted(path.name for path in folder.iterdir()) == ["1", "train"]
    # The other worker keeps its tokens to itself, and takes them away when it ends.
    assert list(tmp_path.glob("textgen-worker-*")) == []

    textgen.train([corpus], "mine", config("none"), tmp_path / "alone")
    together, alone = (
        read_history(models / "mine" / "train" / "history.jsonl")
        for models in (tmp_path / "models", tmp_path / "alone")
    )
    assert len(together) == len(alone) == 2
    for key in ("loss", "validation_loss"):
        np.testing.assert_allclose([v[key] for v in together], [v[key] for v in alone], rtol=5e-6)


def test_multi_worker_without_a_cluster_says_what_is_missing(monkeypatch):
    from textgen.errors import DeviceError
    from textgen.training.distribution import build_strategy

    for text in ("", "{", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}'):
        monkeypatch.setenv("TF_CONFIG", text)
        with pytest.raises(DeviceError, match="TF_CONFIG"):
            build_strategy("multi-worker")
    outside = {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(outside))
    with pytest.raises(DeviceError, match="not in its cluster"):
        build_strategy("multi-worker")

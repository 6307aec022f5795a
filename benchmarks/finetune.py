"""One step of adapters on an imported model, beside peft on the same file in PyTorch.

    python benchmarks/finetune.py SmolLM2-135M-Instruct.Q4_1.gguf smollm2 corpus.txt

See README.md beside this file.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

_RANK, _BATCH, _WINDOW = 8, 4, 128


def _measure(step: Callable[[np.ndarray], float], ids: np.ndarray, count: int, side: str) -> str:
    """Return the median time of a step on windows of some tokens, after one to warm up."""
    random = np.random.default_rng(0)
    starts = random.integers(len(ids) - _WINDOW - 1, size=(count + 1, _BATCH, 1))
    walls, processor = [], []
    for batch in ids[starts + np.arange(_WINDOW + 1)]:
        started, used = time.perf_counter(), time.process_time()
        loss = step(batch.astype(np.int32))
        walls.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, cpu = (statistics.median(times[1:]) for times in (walls, processor))
    return (
        f"{side}: {wall:.2f} s per step, {cpu:.2f} s of processor time, loss {loss:.3f}, "
        f"{peak:,.0f} MB at the peak; the first step took {processor[0]:.0f} s of processor time"
    )


def textgen_side(args: argparse.Namespace) -> str:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # as `textgen train` does for adapters
    import tensorflow as tf

    from textgen.catalog import Catalog
    from textgen.config import TrainingConfig
    from textgen.inheritance import find_parent
    from textgen.training.step import Step

    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    parent, _ = find_parent(Catalog(), args.name)
    config = TrainingConfig(batch_size=_BATCH, window_length=_WINDOW, adapter_rank=_RANK)
    vocab_size, strategy = parent.tokenizer.vocab_size, tf.distribute.get_strategy()
    step = Step(parent.config, config, vocab_size, strategy, True, parent.weights())
    done = iter(range(args.steps + 1))
    one = np.ones(1, np.float32)
    ids = parent.tokenizer.encode(args.corpus.read_text("utf-8"))
    return _measure(
        lambda batch: step.run(batch[None], next(done), one)[0, 0], ids, args.steps, "textgen"
    )


def peft_side(args: argparse.Namespace) -> str:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(args.threads)
    source = {"pretrained_model_name_or_path": args.file.parent, "gguf_file": args.file.name}
    base = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    base.config.use_cache = False
    adapters = LoraConfig(r=_RANK, lora_alpha=_RANK, target_modules="all-linear")
    model = get_peft_model(base, adapters).train()
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)

    def step(batch):
        tokens = torch.from_numpy(batch.astype(np.int64))
        logits = model(input_ids=tokens[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        return loss.item()

    ids = AutoTokenizer.from_pretrained(**source)(args.corpus.read_text("utf-8")).input_ids
    return _measure(step, np.array(ids), args.steps, "transformers and peft")


_SIDES = {"textgen": textgen_side, "peft": peft_side}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, help="the GGUF file")
    parser.add_argument("name", help="the model that textgen import made of it")
    parser.add_argument("corpus", type=Path, help="text file in UTF-8")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--only", choices=_SIDES)
    args = parser.parse_args()
    if args.only:
        print(_SIDES[args.only](args))
        return
    # Each in a process of its own, in turn, because the two libraries share the cores.
    for side in ("textgen", "peft", "textgen"):
        subprocess.run([sys.executable, *sys.argv, "--only", side], check=True)


if __name__ == "__main__":
    main()

"""How fast an imported model generates, beside transformers with the same GGUF file.

    python benchmarks/published.py SmolLM2-135M-Instruct.Q4_1.gguf smollm2

See README.md beside this file.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_PROMPT = "Once upon a time there was a fox who"
_NUM_TOKENS, _REPEATS = 64, 3
_CONTEXT = 2048


def _median_rate(generate: Callable[[int], object]) -> float:
    """Return the tokens per second of a function that generates so many, after a warmup."""
    generate(4)
    rates = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        generate(_NUM_TOKENS)
        rates.append(_NUM_TOKENS / (time.perf_counter() - started))
    return statistics.median(rates)


def textgen_rate(name: str) -> str:
    import textgen

    with textgen.load(name) as model:
        rate = _median_rate(
            lambda n: model.generate(_PROMPT, max_new_tokens=n, min_new_tokens=n, temperature=0.0)
        )
        peak = _peak()
        repeated = " ".join([_PROMPT] * _CONTEXT)
        ids = model.tokenizer.encode(repeated)[: _CONTEXT - _NUM_TOKENS]
        model.generate(model.tokenizer.decode(ids), max_new_tokens=32)
    return (
        f"textgen: {rate:.1f} tokens/s, {peak:,.0f} MB at the peak, and {_peak() - peak:,.0f} MB "
        f"more with {_CONTEXT:,} tokens"
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def transformers_rate(file: Path) -> str:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    ids = AutoTokenizer.from_pretrained(**source)(_PROMPT, return_tensors="pt").input_ids
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32).eval()
    with torch.inference_mode():
        rate = _median_rate(
            lambda n: model.generate(ids, max_new_tokens=n, min_new_tokens=n, do_sample=False)
        )
    return f"transformers: {rate:.1f} tokens/s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the GGUF file")
    parser.add_argument("name", help="the model that textgen import made of it")
    parser.add_argument("--only", choices=["textgen", "transformers"])
    options = parser.parse_args()
    if options.only == "textgen":
        print(textgen_rate(options.name))
    elif options.only == "transformers":
        print(transformers_rate(options.file))
    else:
        # Each in a process of its own, in turn, because the two libraries share the cores.
        for only in ("textgen", "transformers", "textgen"):
            command = [sys.executable, __file__, str(options.file), options.name, "--only", only]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()

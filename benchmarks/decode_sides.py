"""The sides of the decoding benchmark: each answers an order with the seconds it took.

Imports are in the functions, because no interpreter needs to have them all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from workers import num_cores

CHARACTERS = "".join(map(chr, range(32, 94)))  # with the special tokens, 65 in all
VOCAB_SIZE = len(CHARACTERS) + 3
PROMPT = "To be"
TEMPERATURE = 0.8


class Shape(NamedTuple):
    """What all sides build."""

    architecture: str
    num_layers: int
    num_heads: int
    hidden_dim: int
    context_length: int


SHAPES = {
    "transformer-0.8M": Shape("transformer", 4, 4, 128, 256),
    "transformer-10.6M": Shape("transformer", 6, 6, 384, 256),
    "lstm-2x256": Shape("lstm", 2, 1, 256, 256),
}
# Generates for the model of this name: how many texts at once, and how many tokens of each.
Generate = Callable[[str, int, int], None]


def answer(generate: Generate) -> None:
    """Answer every order on standard input; an empty one asks whether the side is ready."""
    for line in sys.stdin:
        order = json.loads(line)
        reply: Any = "ready"
        if order:
            start = time.perf_counter()
            generate(order["model"], order["batch"], order["tokens"])
            reply = time.perf_counter() - start
        print(json.dumps(reply), flush=True)


def textgen_side(models: Path) -> None:
    """The exported models, on the threads that `textgen.load` gives them."""
    import textgen

    opened = {name: textgen.load(name, models) for name in SHAPES}
    settings = {"temperature": TEMPERATURE, "seed": 0}

    def generate(name: str, batch: int, tokens: int) -> None:
        prompts = [PROMPT] * batch
        results = opened[name].generate_batch(prompts, max_new_tokens=tokens, **settings)
        if [result.num_tokens for result in results] != [tokens] * batch:
            raise RuntimeError("not all tokens were generated")

    answer(generate)


def transformers_side(models: Path) -> None:
    """GPT-2 of transformers, with its cache."""
    import torch

    opened = {name: _gpt2(shape) for name, shape in _transformers()}

    def generate(name: str, batch: int, tokens: int) -> None:
        prompt = torch.ones((batch, 1 + len(PROMPT)), dtype=torch.long)
        sampling = {"do_sample": True, "temperature": TEMPERATURE, "top_k": 0}
        limits = {"max_new_tokens": tokens, "min_new_tokens": tokens, "pad_token_id": 0}
        mask = torch.ones_like(prompt)
        with torch.inference_mode():
            opened[name].generate(prompt, attention_mask=mask, **sampling, **limits)

    answer(generate)


def ctranslate2_side(models: Path) -> None:
    """CTranslate2 in float32."""
    import ctranslate2
    from ctranslate2.converters.transformers import GPT2Loader

    opened = {}
    vocabulary = [f"t{index}" for index in range(VOCAB_SIZE)]
    for name, shape in _transformers():
        spec = GPT2Loader().get_model_spec(_gpt2(shape))
        spec.register_vocabulary(vocabulary)
        spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = vocabulary[0]
        spec.validate()
        spec.optimize()
        path = models / f"{name}-ctranslate2"
        path.mkdir()
        spec.save(str(path))
        opened[name] = ctranslate2.Generator(str(path), intra_threads=num_cores())

    def generate(name: str, batch: int, tokens: int) -> None:
        opened[name].generate_batch(
            [[vocabulary[1]] * (1 + len(PROMPT))] * batch,
            max_length=tokens,
            min_length=tokens,
            sampling_topk=0,
            sampling_temperature=TEMPERATURE,
            include_prompt_in_result=False,
        )

    answer(generate)


def torch_side(models: Path) -> None:
    """torch.nn.LSTM and the same sampling, compiled by torch.jit."""
    import torch

    class LSTM(torch.nn.Module):
        def __init__(self, shape: Shape) -> None:
            super().__init__()
            width = shape.hidden_dim
            self.embedding = torch.nn.Embedding(VOCAB_SIZE, width)
            self.lstm = torch.nn.LSTM(width, width, shape.num_layers, batch_first=True)
            self.output = torch.nn.Linear(width, VOCAB_SIZE)

        def forward(self, token_ids: torch.Tensor, num_tokens: int, temperature: float):
            outputs, state = self.lstm(self.embedding(token_ids))
            drawn = []
            for _ in range(num_tokens):
                logits = self.output(outputs[:, -1]) / temperature
                token_ids = torch.multinomial(torch.softmax(logits, dim=-1), 1)
                drawn.append(token_ids)
                outputs, state = self.lstm(self.embedding(token_ids), state)
            return torch.cat(drawn, dim=1)

    torch.set_num_threads(num_cores())
    lstms = {name: shape for name, shape in SHAPES.items() if shape.architecture == "lstm"}
    opened = {name: torch.jit.script(LSTM(shape).eval()) for name, shape in lstms.items()}

    def generate(name: str, batch: int, tokens: int) -> None:
        prompt = torch.ones((batch, 1 + len(PROMPT)), dtype=torch.long)
        with torch.inference_mode():
            opened[name](prompt, tokens, TEMPERATURE)

    answer(generate)


def llama_bench_side(models: Path) -> None:
    """llama.cpp's own benchmark in float32: it draws nothing, and takes one text at a time.

    The environment variable `LLAMA_BENCH` names the program.
    """
    for name, shape in _transformers():
        _write_gguf(models / f"{name}.gguf", shape)

    for line in sys.stdin:
        order = json.loads(line)
        reply: Any = "ready"
        if order:
            command = [os.environ["LLAMA_BENCH"], "-m", str(models / f"{order['model']}.gguf")]
            command += ["-p", "0", "-n", str(order["tokens"]), "-t", str(num_cores())]
            command += ["-r", "1", "-o", "json"]
            done = subprocess.run(command, capture_output=True, check=True, text=True)
            # Loading the model is not part of what the program measures.
            reply = order["tokens"] / json.loads(done.stdout)[0]["avg_ts"]
        print(json.dumps(reply), flush=True)


def _transformers() -> list[tuple[str, Shape]]:
    return [item for item in SHAPES.items() if item[1].architecture == "transformer"]


def _gpt2(shape: Shape) -> Any:
    import transformers

    config = transformers.GPT2Config(
        vocab_size=VOCAB_SIZE,
        n_positions=shape.context_length,
        n_embd=shape.hidden_dim,
        n_layer=shape.num_layers,
        n_head=shape.num_heads,
        bos_token_id=None,
        eos_token_id=None,
    )
    return transformers.GPT2LMHeadModel(config).eval()


def _write_gguf(path: Path, shape: Shape) -> None:
    """Write a GPT-2 of random weights; how fast they are multiplied doesn't depend on them."""
    import gguf
    import numpy as np

    width = shape.hidden_dim
    writer = gguf.GGUFWriter(str(path), "gpt2")
    writer.add_block_count(shape.num_layers)
    writer.add_context_length(shape.context_length)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(4 * width)
    writer.add_head_count(shape.num_heads)
    writer.add_layer_norm_eps(1e-5)
    writer.add_vocab_size(VOCAB_SIZE)
    writer.add_tokenizer_model("none")
    writer.add_file_type(0)
    generator = np.random.default_rng(0)

    def dense(name: str, rows: int, columns: int, *, bias: bool = True) -> None:
        kernel = generator.normal(0.0, 0.02, (rows, columns))
        writer.add_tensor(f"{name}.weight", kernel.astype(np.float32))
        if bias:
            writer.add_tensor(f"{name}.bias", np.zeros(rows, np.float32))

    def norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(width, np.float32))
        writer.add_tensor(f"{name}.bias", np.zeros(width, np.float32))

    dense("token_embd", VOCAB_SIZE, width, bias=False)
    dense("position_embd", shape.context_length, width, bias=False)
    for index in range(shape.num_layers):
        block = f"blk.{index}"
        norm(f"{block}.attn_norm")
        dense(f"{block}.attn_qkv", 3 * width, width)
        dense(f"{block}.attn_output", width, width)
        norm(f"{block}.ffn_norm")
        dense(f"{block}.ffn_up", 4 * width, width)
        dense(f"{block}.ffn_down", width, 4 * width)
    norm("output_norm")
    dense("output", VOCAB_SIZE, width, bias=False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


SIDES: dict[str, Callable[[Path], None]] = {
    "textgen": textgen_side,
    "transformers": transformers_side,
    "ctranslate2": ctranslate2_side,
    "torch": torch_side,
    "llama.cpp": llama_bench_side,
}

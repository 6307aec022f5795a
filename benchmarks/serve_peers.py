"""Servers that `textgen serve` is compared with, of a GPT-2 with the shape of its model.

    python benchmarks/serve_peers.py export FOLDER
    python benchmarks/serve_peers.py ctranslate2 FOLDER PORT
    transformers serve FOLDER/gpt2 --port PORT

Imports are in the functions: only the interpreter of the peers has these packages.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from decode_sides import CHARACTERS, SHAPES, TEMPERATURE, num_cores

NAMES = ("ctranslate2", "transformers")
# It imports torch.
_START_SECONDS = 300


def main() -> None:
    order, folder, *rest = sys.argv[1:]
    if order == "export":
        _export(Path(folder))
    else:
        _serve_ctranslate2(Path(folder), int(rest[0]))


def can_run(python: str) -> bool:
    """Whether an interpreter has what the peers need."""
    packages = "ctranslate2, fastapi, starlette, torch, transformers, uvicorn"
    found = subprocess.run([python, "-c", f"import {packages}"], stderr=subprocess.DEVNULL)
    return found.returncode == 0


def export(python: str, folder: Path) -> None:
    """Write the models of the peers."""
    subprocess.run([python, __file__, "export", str(folder)], check=True)


@contextlib.contextmanager
def start(name: str, python: str, folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run a peer until the end of the block."""
    command = [python, __file__, name, str(folder), str(port)]
    if name == "transformers":
        program = "from transformers.cli.transformers import main; main()"
        command = [python, "-c", program, "serve", str(folder / "gpt2")]
        command += ["--port", str(port), "--device", "cpu"]
    settings = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(num_cores())}
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **settings},
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not answer")
            time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _export(folder: Path) -> None:
    from ctranslate2.converters.transformers import GPT2Loader
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    shape = SHAPES["transformer-0.8M"]
    config = GPT2Config(
        vocab_size=len(_tokens()),
        n_positions=shape.context_length,
        n_embd=shape.hidden_dim,
        n_layer=shape.num_layers,
        n_head=shape.num_heads,
        bos_token_id=0,
        eos_token_id=None,
    )
    gpt2 = GPT2LMHeadModel(config).eval()
    # Sampling as textgen does, and no end of the text before the length.
    gpt2.generation_config.update(do_sample=True, temperature=TEMPERATURE, top_k=0)
    gpt2.save_pretrained(folder / "gpt2")
    ids = {token: index for index, token in enumerate(_tokens())}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")
    fast.save_pretrained(folder / "gpt2")
    spec = GPT2Loader().get_model_spec(gpt2)
    spec.register_vocabulary(_tokens())
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = "<unk>"
    spec.validate()
    spec.optimize()
    (folder / "ctranslate2").mkdir()
    spec.save(str(folder / "ctranslate2"))


def _serve_ctranslate2(folder: Path, port: int) -> None:
    """CTranslate2 behind a plain Starlette: a worker per core, a request at a time for each."""
    import ctranslate2
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    path = str(folder / "ctranslate2")
    generator = ctranslate2.Generator(path, inter_threads=num_cores(), intra_threads=1)

    def generate(body: dict[str, Any]) -> str:
        (result,) = generator.generate_batch(
            [["<unk>", *body["prompt"]]],
            max_length=body["max_tokens"],
            min_length=body["max_tokens"],
            sampling_topk=0,
            sampling_temperature=TEMPERATURE,
            include_prompt_in_result=False,
        )
        return "".join(result.sequences[0])

    async def complete(request: Request) -> JSONResponse:
        text = await run_in_threadpool(generate, await request.json())
        return JSONResponse({"choices": [{"index": 0, "text": text, "finish_reason": "length"}]})

    app = Starlette(routes=[Route("/v1/completions", complete, methods=["POST"])])
    uvicorn.run(app, port=port, log_config=None, access_log=False)


def _tokens() -> list[str]:
    return ["<unk>", *CHARACTERS]


if __name__ == "__main__":
    main()

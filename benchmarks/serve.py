"""How `textgen serve` behaves under load, over real sockets on the loopback interface.

    python benchmarks/serve.py [--only start streams chaos cancel memory short]
                               [--peers-python PATH]

The model takes one step of training: what it writes does not matter, how long it takes does. The
server is a process of its own; clients are asyncio tasks in this one. Every part is bounded in
requests and in time; all of them take three to four minutes on a machine with nothing else to do.
The table is printed at the end. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import serve_peers

CHARACTERS = "".join(map(chr, range(32, 94)))  # with the special tokens, 65 in all
PROMPT = "To be"
PARTS = ("start", "streams", "chaos", "cancel", "memory", "short")
# No part may take longer.
PART_SECONDS = 600

# What was measured, what it should be, and what it is.
Row = tuple[str, str, str]


def main() -> None:
    args = _parse_args()
    if args.export:
        _export(args.export)
        return
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        subprocess.run([sys.executable, __file__, "--export", str(models)], check=True)
        rows: list[Row] = [("measured", "bar", "result"), ("---", "---", "---")]
        for part in args.only:
            started = time.perf_counter()
            rows += asyncio.run(asyncio.wait_for(_MEASURES[part](models, args), PART_SECONDS))
            print(f"{part}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    for row in rows:
        print("| " + " | ".join(row) + " |")


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="fraction of the requests (default: %(default)s)"
    )
    parser.add_argument(
        "--peers-python",
        metavar="PATH",
        default=sys.executable,
        help="interpreter that has ctranslate2, transformers and fastapi (default: this one)",
    )
    parser.add_argument("--export", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _export(folder: Path) -> None:
    """Write a Transformer of 0.8 million parameters that has taken one step."""
    corpus = folder / "corpus.txt"
    corpus.write_text(CHARACTERS * 400, encoding="utf-8")
    command = [sys.executable, "-m", "textgen.cli", "train", str(corpus)]
    command += ["--name", "small", "--models-dir", str(folder), "--tokenizer", "character"]
    command += ["--num-layers", "4", "--num-heads", "4", "--hidden-dim", "128"]
    command += ["--context-length", "256", "--max-steps", "1", "--batch-size", "2"]
    subprocess.run([*command, "--no-jit-compile"], check=True, stdout=subprocess.DEVNULL)


class Server:
    """A running `textgen serve`."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    async def open(self, body: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send a completion request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        content = json.dumps(body).encode()
        writer.write(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(content) + content
        )
        await writer.drain()
        return reader, writer

    async def complete(self, **body: Any) -> tuple[int, Any]:
        """Return status and JSON of a whole completion."""
        reader, writer = await self.open(body)
        content = await reader.read()
        writer.close()
        head, _, rest = content.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(rest)

    async def stream(self, **body: Any) -> tuple[float, float, int]:
        """Return the seconds to the first event and to the end, and the characters."""
        started = time.perf_counter()
        reader, writer = await self.open({**body, "stream": True})
        first, size = 0.0, 0
        while line := await reader.readline():
            if line.startswith(b"data: {"):
                first = first or time.perf_counter() - started
                size += len(json.loads(line[6:])["choices"][0]["text"])
        writer.close()
        return first, time.perf_counter() - started, size

    async def figure(self, name: str) -> float:
        """Return a figure of /metrics."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        found = re.search(rf"^{name} (\S+)", (await reader.read()).decode(), re.MULTILINE)
        writer.close()
        return float(found[1]) if found else 0.0

    @property
    def megabytes(self) -> float:
        """The server's resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


@contextlib.contextmanager
def _server(models: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "textgen.cli", "serve", "small", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--models-dir", str(models), "--reload", "no"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        yield Server(process, int(re.search(r":(\d+)", line)[1]))  # type: ignore[index]
    finally:
        process.terminate()
        process.wait(60)


async def _measure_start(models: Path, _: argparse.Namespace) -> list[Row]:
    ours, imports = [], []
    for turn in range(4):
        started = time.perf_counter()
        with _server(models) as server:
            await server.complete(prompt=PROMPT, max_tokens=1)
            ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import tensorflow"], check=True, stderr=-3)
        imports.append(time.perf_counter() - started)
        if not turn:  # fills the page cache
            ours.clear()
            imports.clear()
    ratio = statistics.median(a / b for a, b in zip(ours, imports, strict=True))
    seconds = f"{statistics.median(ours):.2f} s, {statistics.median(imports):.2f} s"
    return [("start to first answer, over import tensorflow", "0.5", f"{ratio:.2f} ({seconds})")]


async def _measure_streams(models: Path, _: argparse.Namespace) -> list[Row]:
    body = {"prompt": PROMPT, "max_tokens": 400}
    with _server(models) as server:
        await server.stream(**body)
        single, many, firsts = [], [], []
        for _turn in range(5):
            _first, seconds, size = await server.stream(**body)
            single.append(size / seconds)
            started = time.perf_counter()
            results = await asyncio.gather(*(server.stream(**body) for _ in range(16)))
            many.append(sum(size for *_, size in results) / (time.perf_counter() - started))
            firsts += [first for first, *_ in results]
        ratio = statistics.median(b / a for a, b in zip(single, many, strict=True))
    p95 = statistics.quantiles(firsts, n=20)[-1]
    rates = f"{statistics.median(single):,.0f}, {statistics.median(many):,.0f} tokens/s"
    return [
        ("throughput of 16 streams, over one stream's", "4", f"{ratio:.2f} ({rates})"),
        ("first token at 16 streams, p95", "100 ms + a block of 30 ms", f"{1000 * p95:.0f} ms"),
    ]


async def _measure_chaos(models: Path, args: argparse.Namespace) -> list[Row]:
    """64 clients; a third of the requests disconnect, a tenth are malformed."""
    chance = random.Random(0)
    wanted: dict[int, str] = {}
    wrong = lost = mixed = completed = 0
    with _server(models) as server:
        for seed in range(40):
            _, answer = await server.complete(prompt=PROMPT, max_tokens=40, seed=seed)
            wanted[seed] = answer["choices"][0]["text"]
        numbers = iter(range(int(2000 * args.scale)))

        async def client() -> None:
            nonlocal wrong, lost, mixed, completed
            for _ in numbers:
                kind, seed = chance.random(), chance.randrange(40)
                body: dict[str, Any] = {"prompt": PROMPT, "max_tokens": 40, "seed": seed}
                if kind < 1 / 3:
                    _, writer = await server.open({**body, "max_tokens": 400, "stream": True})
                    await asyncio.sleep(chance.random() / 10)
                    writer.transport.abort()
                elif kind < 1 / 3 + 0.1:
                    status, _ = await server.complete(**{**body, "temperature": "hot"})
                    mixed += status != 400
                else:
                    status, answer = await server.complete(**body)
                    while status == 429:
                        await asyncio.sleep(0.1)
                        status, answer = await server.complete(**body)
                    lost += status != 200
                    wrong += status == 200 and answer["choices"][0]["text"] != wanted[seed]
                    mixed += status == 200 and answer["choices"][0]["seed"] != seed
                    completed += 1

        await asyncio.gather(*(client() for _ in range(64)))
    label = f"64 clients, {int(2000 * args.scale):,} requests: wrong texts, lost, mixed"
    return [(label, "0, 0, 0", f"{wrong}, {lost}, {mixed} ({completed:,} completed)")]


async def _measure_cancel(models: Path, args: argparse.Namespace) -> list[Row]:
    left = []
    with _server(models) as server:
        for _ in range(int(1000 * args.scale) // 50):
            writers = []
            for _ in range(50):
                _, writer = await server.open(
                    {"prompt": PROMPT, "max_tokens": 4000, "stream": True}
                )
                writers.append(writer)
            await asyncio.sleep(0.1)
            for writer in writers:
                writer.transport.abort()
            await asyncio.sleep(0.2)
            left.append(await server.figure("textgen_rows_running"))
    label = f"rows running 200 ms after {50 * len(left):,} disconnects"
    return [(label, "0", f"{sum(left):.0f}")]


async def _measure_memory(models: Path, args: argparse.Namespace) -> list[Row]:
    count = int(20_000 * args.scale)
    with _server(models) as server:

        async def ask(number: int) -> None:
            for _ in range(number // 32):
                await server.complete(prompt=PROMPT, max_tokens=4)

        await asyncio.gather(*(ask(1600) for _ in range(32)))  # warm
        before = server.megabytes
        await asyncio.gather(*(ask(count) for _ in range(32)))
        after = server.megabytes
    sizes = f"{after - before:+.1f} MB ({before:.0f} to {after:.0f} MB)"
    return [(f"growth of memory over {count:,} requests", "20 MB", sizes)]


async def _measure_short(models: Path, args: argparse.Namespace) -> list[Row]:
    """In turns with the peers, each alone on the machine."""
    python, peers = args.peers_python, models / "peers"
    names = serve_peers.NAMES if serve_peers.can_run(python) else ()
    if names:
        peers.mkdir()
        serve_peers.export(python, peers)
    rates: dict[str, list[float]] = {}
    for turn in range(3):
        with _server(models) as server:
            rates.setdefault("textgen", []).append(await _short_rate(server, args.scale))
        for index, name in enumerate(names):
            port = server.port + 1 + index + len(names) * turn
            with serve_peers.start(name, python, peers, port) as process:
                peer = Server(process, port)
                rates.setdefault(name, []).append(await _short_rate(peer, args.scale))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    shown = ", ".join(f"{name} {rate:,.0f}" for name, rate in medians.items())
    label = "completions of 16 tokens, 32 clients, over transformers serve"
    ratio = "no peer"
    if "transformers" in medians:
        ratio = f"{medians['textgen'] / max(medians['transformers'], 0.1):.2f}"
    return [(label, "1.5", f"{ratio} ({shown} per second)")]


async def _short_rate(server: Server, scale: float) -> float:
    """Return the completions per second of 32 clients."""
    count, end = 0, 0.0

    async def ask() -> None:
        nonlocal count
        while time.perf_counter() < end:
            status, answer = await server.complete(prompt=PROMPT, max_tokens=16)
            count += status == 200 and bool(answer["choices"])

    for seconds in (2 * scale, 6 * scale):  # the first to warm up
        started, count = time.perf_counter(), 0
        end = started + seconds
        await asyncio.gather(*(ask() for _ in range(32)))
    return count / (time.perf_counter() - started)


_MEASURES = {
    "start": _measure_start,
    "streams": _measure_streams,
    "chaos": _measure_chaos,
    "cancel": _measure_cancel,
    "memory": _measure_memory,
    "short": _measure_short,
}

if __name__ == "__main__":
    main()

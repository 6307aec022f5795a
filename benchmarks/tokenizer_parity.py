"""Compare PublishedTokenizer with Hugging Face's `tokenizers` on random Unicode text.

    python benchmarks/tokenizer_parity.py --strings 1000000 --in-graph 20000

Every pattern learns a small vocabulary from a text of many scripts, then encodes the same random
strings as the library: characters of all planes, of the classes that the patterns are about, and
pieces of the text. Prints how many differ, and the first that does.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.tokenizer.references import learned, ours
from textgen.tokenizer.published_words import PATTERNS

CORPUS = (
    "The quick brown fox doesn't jump; we'll see WHAT'S UP, don'T I'VE 'ſ\n" * 3
    + "12 1234 567 ½² ٣٤٥ and 7 or 1,000.50\r\n\r\n  x = y ;\n\n\t\tz  \n" * 3
    + "床前明月光，疑是地上霜。 naïve e\u0301é العربية हिन्दी 👩‍🚀 <|im_end|>\0\u3000\u00a0\x85" * 3
)
RULES = "'sStTrRvVeEmMlLdDſ \n\r\t12½²٣a床,.!é\u0301\u00a0\u3000\x85\x1c\u2028\u200d\ufeff𝟘"
BATCH = 5_000


def random_strings(count: int, seed: int) -> Iterator[str]:
    """Yield strings of 1 to 40 characters."""
    source = random.Random(seed)
    ranges = (range(0x300), range(0xD800), range(0xE000, 0x20000), range(0x20000, 0x110000))
    for _ in range(count):
        kind, size = source.random(), source.randrange(1, 41)
        if kind < 0.4:
            yield "".join(source.choices(RULES, k=size))
        elif kind < 0.8:
            points = (source.choice(source.choice(ranges)) for _ in range(size))
            yield "".join(chr(point) for point in points if not 0xD800 <= point < 0xE000)
        else:
            start = source.randrange(len(CORPUS))
            yield CORPUS[start : start + size]


def main() -> None:
    """Compare all patterns."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--strings", type=int, default=1_000_000, help="Strings on the host.")
    parser.add_argument("--in-graph", type=int, default=20_000, help="Strings in the graph.")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for pattern in PATTERNS:
        reference = learned(pattern, CORPUS)
        plain = json.loads(reference.to_str()) | {"added_tokens": []}
        library = Tokenizer.from_str(json.dumps(plain))
        tokenizer = ours(reference, pattern)
        encode = tf.function(
            tokenizer.in_graph().encode, input_signature=[tf.TensorSpec([None], tf.string)]
        )
        different = {"host": 0, "graph": 0}
        count, start = 0, time.process_time()
        strings = random_strings(options.strings, options.seed)
        while batch := [text for _, text in zip(range(BATCH), strings, strict=False)]:
            wanted = [each.ids for each in library.encode_batch_fast(batch)]
            ids, lengths = tokenizer.encode_all(batch)
            found = {"host": tf.RaggedTensor.from_row_lengths(ids, lengths).to_list()}
            if count < options.in_graph:
                rows, sizes = encode(tf.constant(batch))
                found["graph"] = tf.RaggedTensor.from_tensor(rows, sizes).to_list()
            for where, each in found.items():
                wrong = [i for i in range(len(batch)) if each[i] != wanted[i]]
                if wrong and not different[where]:
                    print(f"{pattern}, {where}: {batch[wrong[0]]!r}")
                different[where] += len(wrong)
            count += len(batch)
        seconds = time.process_time() - start
        print(
            f"{pattern}: {different['host']} of {count:,} strings differ on the host, "
            f"{different['graph']} of {min(count, options.in_graph):,} in the graph "
            f"({seconds:.0f} s of processor time)",
            flush=True,
        )


if __name__ == "__main__":
    main()

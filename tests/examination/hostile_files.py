"""Model folders with hostile files: cards, tokenizers, and what is not a plain file.

Every function changes the folder of a SavedModel. `HANGS` would wait for ever if opened.
"""

import json
import os

CARD = "assets.extra/textgen.json"
TOKENIZER = "assets.extra/tokenizer.json"
DATA = "variables/variables.data-00000-of-00001"
ESCAPE = "\x1b]0;owned\x07\x1b[2J\x9b31m"


def replace(name, content):
    def change(path):
        (path / name).write_bytes(content)

    return change


def link(name, target):
    def change(path):
        (path / name).unlink(missing_ok=True)
        (path / name).symlink_to(target)

    return change


def pipe(name):
    def change(path):
        (path / name).unlink(missing_ok=True)
        os.mkfifo(path / name)

    return change


def folder(name):
    def change(path):
        (path / name).unlink()
        (path / name).mkdir()

    return change


def edit(name, *keys, value):
    """Set a value in a JSON file, below some keys."""

    def change(path):
        values = json.loads((path / name).read_text("utf-8"))
        place = values
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        (path / name).write_text(json.dumps(values), "utf-8")

    return change


def number(name, key, digits):
    """Set a number that Python's JSON module would not write."""

    def change(path):
        edit(name, key, value=1234567)(path)
        text = (path / name).read_text("utf-8").replace("1234567", digits)
        (path / name).write_text(text, "utf-8")

    return change


NESTED = b"[" * 100_000 + b"]" * 100_000

HOSTILE_FILES = {
    "an empty card": replace(CARD, b""),
    "a card of null": replace(CARD, b"null"),
    "a card of a list": replace(CARD, b"[1, 2]"),
    "a nested card": replace(CARD, NESTED),
    "a card nested in a field": replace(CARD, b'{"model":' * 50_000 + b"1" + b"}" * 50_000),
    "a card that is not UTF-8": replace(CARD, b'{"name": "\xff"}'),
    "a card of 100 MB": replace(CARD, b" " * 100_000_000),
    "a card that is a link": link(CARD, "/etc/passwd"),
    "a card that is a device": link(CARD, "/dev/zero"),
    "a card that is a pipe": pipe(CARD),
    "a card that is a folder": folder(CARD),
    "a number of 400 digits": number(CARD, "num_parameters", "9" * 400),
    "a number of 5,000 digits": number(CARD, "steps", "9" * 5000),
    "bits of 400 digits": number(CARD, "bits_per_character", "9" * 400),
    "an infinite loss": number(CARD, "validation_loss", "1e999"),
    "a loss that is not a number": number(CARD, "validation_loss", "NaN"),
    "a number as a name": edit(CARD, "model", "architecture", value=7),
    "a list as a description": edit(CARD, "corpus", "description", value=["x"]),
    "a lone surrogate": edit(CARD, "corpus", "description", value="\ud800"),
    "a setting that does not exist": edit(CARD, "corpus", "config", value={"colour": 1}),
    "an escape as an architecture": edit(CARD, "model", "architecture", value=ESCAPE),
    "an escape as a description": edit(CARD, "corpus", "description", value=ESCAPE),
    "an escape as a version": edit(CARD, "versions", "textgen", value=ESCAPE),
    "an escape as a reason": edit(CARD, "training", "ended_by", value=ESCAPE),
    "an escape as a date": edit(CARD, "created", value=ESCAPE),
    "an empty tokenizer": replace(TOKENIZER, b""),
    "a nested tokenizer": replace(TOKENIZER, NESTED),
    "a tokenizer of another kind": edit(TOKENIZER, "kind", value=ESCAPE),
    "a kind that is a list": edit(TOKENIZER, "kind", value=[]),
    "a tokenizer that is a pipe": pipe(TOKENIZER),
    "a tokenizer that is a link": link(TOKENIZER, "/etc/passwd"),
    "a tokenizer without characters": edit(TOKENIZER, "characters", value=None),
    "a tokenizer of fewer characters": edit(TOKENIZER, "characters", value=["a"]),
    "weights that are a link": link(DATA, "/etc/passwd"),
    "weights that are a pipe": pipe(DATA),
    "weights that are empty": replace(DATA, b""),
    "a graph that is a pipe": pipe("saved_model.pb"),
    "a graph that is a device": link("saved_model.pb", "/dev/zero"),
    "warmup requests that are a pipe": pipe("assets.extra/tf_serving_warmup_requests"),
    "a sample request that is a pipe": pipe("assets.extra/generate.json"),
}

"""Folders of training runs with hostile files, and what else is kept next to a version.

Every case is a model that `subjects` made, the commands that read the file, and a function that
changes the model's folder.
"""

import io
import zipfile

import numpy as np

from tests.examination.hostile_files import (
    ESCAPE,
    NESTED,
    edit,
    folder,
    link,
    number,
    pipe,
    replace,
)

RESUME = [["list"], ["info", "mine"], ["train", "corpus.txt", "--resume", "--name", "mine"]]
LONGER = [["info", "mine"], [*RESUME[-1], "--max-steps", "21"]]
AGAIN = [["train", "corpus.txt", "--name", "mine", "--dry-run", "--max-steps", "1"]]
CURVE = [["list"], ["curve", "mine"], ["report", "mine", "-o", "report.html"]]
TRACE = [["trace", "text.txt", "-m", "mine"]]
CHAT = [["chat", "-m", "mine"], ["generate", "a", "-m", "mine", "-n", "3"], ["info", "mine"]]
EVALUATIONS = [["info", "mine"], ["list"], ["report", "mine", "-o", "report.html"]]

_CONFIG, _HISTORY = "train/config.json", "train/history.jsonl"
_BEST, _LAST = "train/checkpoints/best.npz", "train/checkpoints/step-00000020.npz"
_INDEX, _TEXT = "train/originality/suffixes.npy", "train/originality/text.bin"
_TAUGHT = "train/teacher/taught.npy"
_TEMPLATE = "1/assets.extra/chat_template.jinja"


def array(name, value):
    """Replace a file by a NumPy array."""
    file = io.BytesIO()
    np.save(file, value, allow_pickle=True)
    return replace(name, file.getvalue())


def huge_array(name):
    """Replace a file by the header of an array of 16 TB."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": (1 << 42,)}
    )
    return replace(name, file.getvalue())


def archive(name, member):
    """Replace a file by an archive with one member."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("progress.npy", member)
    return replace(name, file.getvalue())


def header():
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": (1 << 44,)}
    )
    return file.getvalue()


def line(name, content):
    """Append a line to a file."""

    def change(path):
        with (path / name).open("ab") as file:
            file.write(content + b"\n")

    return change


HOSTILE_RUNS = {
    "settings that are empty": ("mine", RESUME, replace(_CONFIG, b"")),
    "settings that are nested": ("mine", RESUME, replace(_CONFIG, NESTED)),
    "settings that are a pipe": ("mine", RESUME, pipe(_CONFIG)),
    "settings that are a device": ("mine", RESUME, link(_CONFIG, "/dev/zero")),
    "settings that are a folder": ("mine", RESUME + AGAIN, folder(_CONFIG)),
    "settings with an escape": ("mine", RESUME + AGAIN, edit(_CONFIG, "model", value=ESCAPE)),
    "steps of 400 digits": ("mine", RESUME, number(_CONFIG, "run", "9" * 400)),
    "a tokenizer that is a pipe": ("mine", RESUME, pipe("train/tokenizer.json")),
    "a tokenizer that is nested": ("mine", RESUME, replace("train/tokenizer.json", NESTED)),
    "tokens that are a pipe": ("mine", RESUME, pipe("train/tokens/train.npy")),
    "tokens that are a device": ("mine", RESUME, link("train/tokens/train.npy", "/dev/zero")),
    "tokens of 16 TB": ("mine", RESUME, huge_array("train/tokens/train.npy")),
    "tokens that are objects": ("mine", RESUME, array("train/tokens/train.npy", {"a": 1})),
    "digests that are a list": ("mine", RESUME, replace("train/tokens/digests.json", b"[1]")),
    "digests of another folder": (
        "mine",
        RESUME,
        replace("train/tokens/digests.json", b'{"../../../other/1/saved_model.pb": "0"}'),
    ),
    "a history that is a pipe": ("mine", RESUME + CURVE, pipe(_HISTORY)),
    "a history that is a device": ("mine", RESUME + CURVE, link(_HISTORY, "/dev/zero")),
    "a history with a stray byte": ("mine", RESUME + CURVE, line(_HISTORY, b"\xff")),
    "a history that is nested": ("mine", RESUME + CURVE, line(_HISTORY, NESTED)),
    "a step of 5,000 digits": (
        "mine",
        RESUME + CURVE,
        line(_HISTORY, b'{"step": %s}' % (b"9" * 5000)),
    ),
    "a loss that is a text": (
        "mine",
        RESUME + CURVE,
        line(_HISTORY, b'{"step": 20, "loss": "\\u001b[2J", "validation_loss": []}'),
    ),
    "a loss that is infinite": (
        "mine",
        RESUME + CURVE,
        line(_HISTORY, b'{"step": 20, "loss": 1e999, "validation_loss": NaN}'),
    ),
    "best weights that are a pipe": ("mine", RESUME + CURVE, pipe(_BEST)),
    "best weights that are no archive": ("mine", RESUME + CURVE, replace(_BEST, b"PK\x03\x04")),
    "a checkpoint that is a pipe": ("mine", RESUME, pipe(_LAST)),
    "a checkpoint that is a device": ("mine", RESUME, link(_LAST, "/dev/zero")),
    "a checkpoint that is a folder": ("mine", RESUME, folder(_LAST)),
    "a checkpoint of 16 TB": ("mine", RESUME, archive(_LAST, header())),
    "progress that is nested": ("mine", RESUME, archive(_LAST, NESTED)),
    "an export of an escape": (
        "mine",
        RESUME,
        replace("train/exported.json", b'{"step": "\\u001b", "version": "\\u001b[2J/../.."}'),
    ),
    "an export that is a pipe": ("mine", RESUME, pipe("train/exported.json")),
    "a lock that is a link": (
        "mine",
        RESUME,
        lambda path: (path / "train.lock").symlink_to("/tmp/x"),
    ),
    "an index that is a pipe": ("mine", TRACE, pipe(_INDEX)),
    "an index of 16 TB": ("mine", TRACE, huge_array(_INDEX)),
    "an index of wrong positions": ("mine", TRACE, array(_INDEX, np.full(2550, -7, np.int32))),
    "an indexed text that is a pipe": ("mine", TRACE, pipe(_TEXT)),
    "an indexed text that is empty": ("mine", TRACE, replace(_TEXT, b"")),
    "evaluations that are a pipe": ("mine", EVALUATIONS, pipe("evaluations.jsonl")),
    "evaluations that are a device": ("mine", EVALUATIONS, link("evaluations.jsonl", "/dev/zero")),
    "evaluations with an escape": (
        "mine",
        EVALUATIONS,
        line(
            "evaluations.jsonl",
            b'{"version": 1, "number": 0, "created": "\\u001b[2J", "text": "\\u009b31m", '
            b'"models": [{"bits_per_character": {"value": 1e999, "low": NaN, "high": 0}}]}',
        ),
    ),
    "a template that is a pipe": ("theirs", CHAT, pipe(_TEMPLATE)),
    "a template that is a link": ("theirs", CHAT, link(_TEMPLATE, "/etc/passwd")),
    "a template that is not UTF-8": ("theirs", CHAT, replace(_TEMPLATE, b"\xff")),
    "a template of 10 MB": ("theirs", CHAT, replace(_TEMPLATE, b"a" * 10_000_000)),
    "a template that loops": (
        "theirs",
        CHAT,
        replace(
            _TEMPLATE,
            b"{% for i in range(9**9) %}{% for j in range(9**9) %}a{% endfor %}{% endfor %}",
        ),
    ),
    "a template that runs code": (
        "theirs",
        CHAT,
        replace(_TEMPLATE, b"{{ ''.__class__.__mro__[1].__subclasses__() }}"),
    ),
    "a parent's weights that are a pipe": (
        "taught",
        RESUME,
        pipe("train/parent/variables/variables.data-00000-of-00001"),
    ),
    "a parent's weights that are empty": (
        "taught",
        RESUME,
        replace("train/parent/variables/variables.index", b""),
    ),
    "predictions that are a pipe": ("pupil", LONGER, pipe(_TAUGHT)),
    "predictions of 16 TB": ("pupil", LONGER, huge_array(_TAUGHT)),
    "predictions of another text": ("pupil", LONGER, array(_TAUGHT, np.ones((9, 17), np.uint32))),
    "a teacher that is a pipe": ("pupil", LONGER, pipe("train/teacher/teacher.json")),
    "a teacher of nested JSON": ("pupil", LONGER, replace("train/teacher/teacher.json", NESTED)),
    "adapters that are a pipe": ("taught", EVALUATIONS, pipe("1/assets.extra/adapter.npz")),
}

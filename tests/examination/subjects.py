"""The models that are examined: one of each kind whose files differ."""

from tests.examination.commands import run_commands
from tests.pretrained.checkpoints import write_hugging_face

LINES = "the quick brown fox jumps over the lazy dog.\na stitch in time saves nine, they say.\n"
SHAPE = [
    *("--num-layers", "1", "--num-heads", "2", "--hidden-dim", "16", "--context-length", "16"),
    *("--max-steps", "20", "--validate-every", "10", "--batch-size", "4", "--no-jit-compile"),
]
COMMANDS = {
    # A model that was trained on a text, its run, and what other commands keep of both.
    "mine": [
        ["train", "corpus.txt", "--name", "mine", *SHAPE],
        ["trace", "text.txt", "-m", "mine"],
        ["evaluate", "mine", "text.txt", "--no-baselines", "--save"],
    ],
    # A model that learned what another predicts.
    "pupil": [["train", "corpus.txt", "--name", "pupil", "--teacher", "mine", *SHAPE]],
    # A model that others published, with a chat template and special tokens.
    "theirs": [["import", "source", "--name", "theirs"]],
    # A model with a parent and adapters.
    "taught": [
        [
            *("train", "corpus.txt", "--from", "theirs", "--name", "taught", *SHAPE[8:]),
            *("--adapter-rank", "2"),
        ],
    ],
}


def prepare(folder):
    """Make the models in the folder `models` of a folder, unless they are there.

    Raises:
        RuntimeError: If a command fails.
    """
    (folder / "corpus.txt").write_text(LINES * 30, "utf-8")
    (folder / "text.txt").write_text("a fox saves the dog in time, they say", "utf-8")
    write_hugging_face(folder / "source")
    for name, commands in COMMANDS.items():
        if (folder / "models" / name / "1").exists():
            continue
        statuses, shown, end = run_commands(commands, folder, seconds=600)
        if any(statuses) or len(statuses) < len(commands):
            raise RuntimeError(f"{name} ends with {statuses}, {end}: {shown}")

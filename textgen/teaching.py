"""What a run takes from its teacher: the predictions of a trained model for every token.

They are written beside the run once, before its first step, so that a resumed run and the next
one with this teacher and corpus need no teacher.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from textgen.arrays import map_array
from textgen.card_parts import ParentSummary
from textgen.catalog import Catalog
from textgen.config import RunConfig
from textgen.digests import DIGESTS_NAME, check_digests, digest_file, record_digests
from textgen.errors import CheckpointError, ConfigError
from textgen.files import publish_folder, read_json, write_atomically
from textgen.inheritance import find_parent, trainable_model
from textgen.reporter import Reporter
from textgen.run import Parent, Run, RunFolder
from textgen.run.parent import link_or_copy

# A token's id takes 16 bits in what is written.
_MAX_TOKENS = 2**16
_TAUGHT, _TEACHER = "taught.npy", "teacher.json"


def find_teacher(config: RunConfig, catalog: Catalog) -> Parent | None:
    """Return the teacher that the settings of a run name, if they name one.

    Raises:
        ModelNotFoundError: If there is no such model.
        ModelDamagedError: If the teacher's files are damaged.
    """
    name = config.training.teacher
    return None if name is None else find_parent(catalog, name)[0]


def must_teach(run: Run, teacher: Parent | None, previous: RunFolder) -> bool:
    """Whether a run has a teacher that has yet to predict its training part.

    Args:
        run: The run, before its first step.
        teacher: The run's teacher, if it has one.
        previous: The run before it, which may have the same teacher and tokens.

    Raises:
        ConfigError: If the run has another tokenizer than the teacher, or rows with prompts.
    """
    return teacher is not None and _missing(run, teacher, previous) is not None


def teach(run: Run, teacher: Parent | None, previous: RunFolder, reporter: Reporter) -> None:
    """Write what a run's teacher predicts for its training part, if it has a teacher.

    Args:
        run: The run, before its first step.
        teacher: The run's teacher, if it has one.
        previous: The run before it, which may have the same teacher and tokens.
        reporter: Receives the number of bytes done.

    Raises:
        ConfigError: If the run has another tokenizer than the teacher, or rows with prompts.
        ModelDamagedError: If the teacher's weights are damaged.
        OSError: If the folder cannot be written.
    """
    if teacher is None:
        return
    made_from = _missing(run, teacher, previous)
    if made_from is None:
        shutil.copytree(previous.teacher, run.folder.teacher, copy_function=link_or_copy)
        return
    from textgen.training.soft_targets import write_taught

    reporter.phase("teaching")
    model = trainable_model(teacher)
    tokens = run.store.train
    size = tokens.itemsize
    names = ("name", "version", "digest", "license")
    summary = {name: getattr(teacher, name) for name in names}
    with publish_folder(run.folder.teacher) as scratch:
        write_taught(
            scratch / _TAUGHT,
            tokens,
            model,
            lambda done, total: reporter.bytes_done(done * size, total * size),
        )
        facts = {"made_from": made_from, "teacher": summary}
        write_atomically(scratch / _TEACHER, json.dumps(facts, indent=2).encode())
        record_digests(scratch, scratch / DIGESTS_NAME)


def taught_tokens(run: Run) -> np.ndarray:
    """Return the taught tokens of a run's training part, uint32[num_tokens, 1 + K].

    Raises:
        CheckpointError: If the files are missing or damaged.
    """
    from textgen.training.soft_targets import num_predictions

    folder = run.folder.teacher
    try:
        check_digests(folder, folder / DIGESTS_NAME)
        describe_teacher(run.folder)  # The export needs it.
        taught = map_array(folder / _TAUGHT)
        shape = (len(run.store.train), 1 + num_predictions(run.tokenizer.vocab_size))
        if taught.dtype != np.uint32 or taught.shape != shape:
            raise ValueError(
                f"{_TAUGHT} must be uint32{[*shape]}. Received: {taught.dtype}{[*taught.shape]}"
            )
        return taught
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{folder}: the teacher's predictions are missing or damaged ({error}). "
            "Begin a new run."
        ) from error


def describe_teacher(folder: RunFolder) -> ParentSummary:
    """Return what the card says of a run's teacher.

    Raises:
        OSError: If the file is missing.
        ValueError: If it is damaged.
    """
    try:
        return ParentSummary.from_dict(read_json(folder.teacher / _TEACHER)["teacher"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{_TEACHER} lacks {error}") from error


def _check(run: Run, teacher: Parent) -> None:
    if run.corpus.has_prompts or run.store.replay is not None:
        raise ConfigError(
            "teacher cannot be combined with prompts, labels, dialogues or older text. "
            f"Received: teacher={teacher.label!r}"
        )
    if teacher.tokenizer.vocab_size > _MAX_TOKENS:
        raise ConfigError(
            f"teacher must have at most {_MAX_TOKENS:,} tokens. "
            f"Received: {teacher.label}, with {_describe(teacher)}"
        )
    if teacher.tokenizer.to_dict() != run.tokenizer.to_dict():
        raise ConfigError(
            "teacher must have the run's own tokenizer, so train both on the same corpus with the "
            f"same tokenizer. Received: {teacher.label}, with {_describe(teacher)} instead of "
            f"{_describe(run)}"
        )


def _describe(owner: Run | Parent) -> str:
    return f"{owner.tokenizer.vocab_size:,} tokens of kind {owner.tokenizer.kind!r}"


def _missing(run: Run, teacher: Parent, previous: RunFolder) -> dict[str, str] | None:
    """Return what predictions are made from, or `None` if the previous run has those."""
    _check(run, teacher)
    tokens = digest_file(run.folder.tokens / "train.npy")
    made_from = {"teacher": teacher.digest, "tokens": tokens}
    return None if _made_from(previous.teacher) == made_from else made_from


def _made_from(folder: Path) -> object:
    """Return what the files in a folder were made from, or `None` if they are not sound."""
    try:
        check_digests(folder, folder / DIGESTS_NAME)
        return read_json(folder / _TEACHER)["made_from"]
    except (OSError, ValueError, KeyError, TypeError):
        return None

"""The index of the text that a training run learned from, kept in the run's folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator

import numpy as np

from textgen.errors import CorpusError
from textgen.originality.corpus_index import CorpusIndex
from textgen.originality.places import Place, find_places
from textgen.run import Run

_FOLDER = "originality"
# Tokens that become text at a time.
_CHUNK = 1 << 16
# Between two documents: no copy reaches from one into the next.
_BOUNDARY = b"\0"


class RunIndex:
    """The index of a run's training part, and its held-out part.

    Args:
        run: The training run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._folder = run.folder.path / _FOLDER

    def open(self) -> CorpusIndex:
        """Return the index; the first time, build and keep it.

        Raises:
            CorpusError: If the corpus is 2 GiB or larger.
        """
        try:
            return CorpusIndex.open(self._folder)
        except CorpusError:
            shutil.rmtree(self._folder, ignore_errors=True)
        index = self.build()
        index.save(self._folder)
        return index

    def build(self) -> CorpusIndex:
        """Build the index in memory.

        Raises:
            CorpusError: If the corpus is 2 GiB or larger.
        """
        text = self.text()
        if len(text) >= 2**31:
            raise CorpusError("The corpus must be smaller than 2 GiB to be searched for copies.")
        return CorpusIndex.of(text)

    def text(self) -> bytes:
        """Return the training part in UTF-8, with a NUL byte between documents."""
        return b"".join(self._texts(self._run.store.train))

    def held_out(self, num_characters: int) -> str:
        """Return the beginning of the text that the model was not trained on."""
        tokens = self._run.store.validation[: 4 * num_characters]
        text = b"".join(self._texts(tokens)).decode("utf-8", errors="replace")
        return text[:num_characters]

    def places(self, passages: Iterable[str]) -> dict[str, Place]:
        """Return where passages are in the files of the corpus; see `find_places`."""
        return find_places(self._run.files, self._run.config.corpus, passages)

    def _texts(self, tokens: np.ndarray) -> Iterator[bytes]:
        pieces = list(self._run.tokenizer.pieces)
        pieces[self._run.tokenizer.special.eos] = _BOUNDARY
        for start in range(0, len(tokens), _CHUNK):
            yield b"".join(map(pieces.__getitem__, tokens[start : start + _CHUNK].tolist()))

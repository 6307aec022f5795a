"""Decoders that continue the prompts of one model in chunks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from textgen.catalog import ModelEntry
from textgen.config import SamplingConfig
from textgen.errors import GenerationError
from textgen.inference.constraints import ConstraintFeeds
from textgen.inference.stream import ChunkDecoder
from textgen.runtime import SavedModel

if TYPE_CHECKING:
    from textgen.originality import CorpusIndex


class Decoders:
    """Makes decoders.

    Args:
        entry: The model.
        model: Its SavedModel.
        constrain: Makes its inputs that say what a text must, or must not, contain.
    """

    def __init__(self, entry: ModelEntry, model: SavedModel, constrain: ConstraintFeeds) -> None:
        self._entry = entry
        self._model = model
        self._constrain = constrain

    def __call__(self, config: SamplingConfig, inputs: dict[str, Any]) -> ChunkDecoder:
        """Process prompts, and return a decoder that continues them.

        Args:
            config: The settings.
            inputs: Inputs of the signature `prefill`.

        Raises:
            GenerationError: If the settings need the corpus and it is gone.
        """
        if not self.needs_corpus(config):
            return ChunkDecoder(self._model, **inputs)
        from textgen.inference.novel import NovelDecoder  # most texts do without

        return NovelDecoder(self._model, self._index, config, self._constrain, **inputs)

    def needs_corpus(self, config: SamplingConfig) -> bool:
        """Whether texts must be compared with the corpus while they are generated."""
        return config.novel is not None and not self._constrain.keeps_novel(config)

    @cached_property
    def _index(self) -> CorpusIndex:
        """What the model was trained on."""
        from textgen.inference.own_run import own_run
        from textgen.originality import RunIndex

        run = own_run(self._entry)
        if run is None:
            raise GenerationError(
                f"novel needs the corpus of {self._entry.name}, but its training run was deleted "
                "or replaced by another one; only a model that contains an index of its corpus "
                "needs no run, from 20 characters on"
            )
        return RunIndex(run).open()

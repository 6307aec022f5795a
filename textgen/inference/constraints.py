"""The constraints of a config as inputs of a model's graph."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from textgen.config import SamplingConfig
from textgen.config.controls import Stage, controls_of
from textgen.errors import GenerationError
from textgen.gram_table import GRAM_BYTES
from textgen.inference.feeds import sampling_feeds
from textgen.runtime import SavedModel
from textgen.tokenizer import Tokenizer

# The constraints that are known before the text begins; `ignore_case` alone is none.
_NAMES = [
    row.name
    for row in controls_of(SamplingConfig)
    if row.stage is Stage.CONSTRAINT and row.name not in ("ignore_case", "novel")
]


def is_constrained(config: SamplingConfig) -> bool:
    """Whether a config has a constraint."""
    return any(getattr(config, name) for name in _NAMES)


class ConstraintFeeds:
    """Makes the inputs of one model that say what a text must, or must not, contain.

    Args:
        model: The exported model.
        tokenizer: Its tokenizer.
    """

    def __init__(self, model: SavedModel, tokenizer: Tokenizer) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._usable = functools.lru_cache(maxsize=16)(self._ask_usable)

    @functools.cached_property
    def _builder(self):
        # Most texts have no constraint.
        from textgen.constraints import ConstraintBuilder

        return ConstraintBuilder(self._tokenizer.pieces, self._tokenizer.special.eos)

    def keeps_novel(self, config: SamplingConfig) -> bool:
        """Whether the graph itself keeps texts from copying as much as a config allows."""
        has_table = "novel" in self._model.signatures["generate"].inputs
        return has_table and config.novel is not None and config.novel >= GRAM_BYTES

    def __call__(
        self, config: SamplingConfig, prompts: Sequence[str | bytes]
    ) -> dict[str, np.ndarray]:
        """Return the inputs for some cleaned prompts: `novel`, `automaton` and `automaton_state`.

        Those without a constraint are left out.

        Raises:
            ConfigError: If a constraint cannot be followed.
            GenerationError: If the model was exported before there were constraints.
        """
        inputs: dict[str, np.ndarray] = {}
        if self.keeps_novel(config):
            inputs["novel"] = np.array([config.novel], np.int32)
        if not is_constrained(config):
            return inputs
        if "automaton" not in self._model.signatures["generate"].inputs:
            given = next(name for name in _NAMES if getattr(config, name))
            raise GenerationError(
                f"{given} needs a model exported by a newer version of textgen: resume its "
                "training, or train it again"
            )
        usable = self._usable(config.banned, config.logit_bias)
        texts = (text.encode() if isinstance(text, str) else text for text in prompts)
        built = [self._builder.build(config, text, usable) for text in texts]
        contents = [content for content, _ in built]
        if len(set(map(id, contents))) == 1:
            contents = contents[:1]  # one row applies to all, and it may have megabytes
        return {
            **inputs,
            "automaton": np.array(contents, object),
            "automaton_state": np.array([state for _, state in built], np.int32),
        }

    def _ask_usable(
        self, banned: tuple[str, ...], logit_bias: tuple[tuple[str, float], ...]
    ) -> np.ndarray:
        """The tokens that the model may generate at all, bool[V], as the model itself reports."""
        feeds = sampling_feeds(SamplingConfig(banned=banned, logit_bias=logit_bias), [0])
        inputs = {name: feeds[name] for name in ("banned", "bias_text", "bias")}
        state = self._model.run_tensors("prefill", prompts=[""], **inputs)
        return state["state_bias"].numpy()[0] > -np.inf

"""Writing with an exported model, from Python: the SavedModel does all the work."""

from __future__ import annotations

import dataclasses
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from textgen.catalog import CARD_PATH, TOKENIZER_PATH, Catalog, ModelEntry
from textgen.config import CorpusConfig, SamplingConfig
from textgen.corpus import clean
from textgen.errors import ConfigError, ModelDamagedError
from textgen.runtime import SavedModel
from textgen.tokenizer import Tokenizer, load_tokenizer

_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Generation:
    """One text a model wrote.

    Attributes:
        prompt: what it continues, as the model saw it.
        text: the new text, without the prompt.
        finish_reason: `stop` (end of text or a stop string) or `length`.
        num_tokens: of the new text.
        seed: with the same seed and settings the model writes this text again.
    """

    prompt: str
    text: str
    finish_reason: str
    num_tokens: int
    seed: int


class TextGenerator:
    """An exported model, ready to write.

    Args:
        entry: which model; `load` finds one by name.

    Example:

        >>> model = textgen.load("shakespeare")
        >>> model.generate("ROMEO:", temperature=0.7, stop=["."]).text

    Raises:
        ModelDamagedError: the SavedModel cannot be loaded, or is none of textgen's.
        TokenizerError: its tokenizer file is missing or damaged.
    """

    def __init__(self, entry: ModelEntry) -> None:
        self.entry = entry
        self.card: dict[str, Any] = entry.card
        self.tokenizer: Tokenizer = load_tokenizer(entry.path / TOKENIZER_PATH)
        try:
            self._corpus_config = CorpusConfig.from_dict(self.card["corpus"]["config"])
        except (KeyError, TypeError, ConfigError) as error:
            raise ModelDamagedError(
                f"{entry.path}: the corpus settings in {CARD_PATH} are damaged ({error!r})."
            ) from error
        self._saved_model = SavedModel(entry.path)
        if "generate" not in self._saved_model.signatures:
            raise ModelDamagedError(f"{entry.path}: the SavedModel has no signature 'generate'.")

    def close(self) -> None:
        """Free the model's memory."""
        self._saved_model.close()

    def __enter__(self) -> TextGenerator:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def clean(self, prompt: str) -> str:
        """Return the prompt cleaned as the corpus was."""
        return clean(prompt, self._corpus_config)

    def unknown_characters(self, prompt: str) -> list[str]:
        """Return the characters of a prompt that the model has never seen, in order."""
        return self.tokenizer.unknown_characters(self.clean(prompt))

    def generate(self, prompt: str = "", **sampling: Any) -> Generation:
        """Continue one prompt.

        Args:
            prompt: any text; characters the model has never seen count as unknown.
            **sampling: fields of `SamplingConfig`.

        Raises:
            ConfigError: a setting is outside its range.
            TokenizerError: the prompt is not Unicode text.
        """
        return self.generate_batch([prompt], SamplingConfig(**sampling))[0]

    def generate_batch(
        self, prompts: Sequence[str], config: SamplingConfig | None = None
    ) -> list[Generation]:
        """Continue several prompts at once.

        Args:
            prompts: any texts.
            config: how to sample. Row i draws with `config.seed + i`, so that each text
                can be had again alone.

        Raises:
            TokenizerError: a prompt is not Unicode text.
        """
        config = config or SamplingConfig()
        prompts = [self.clean(prompt) for prompt in prompts]
        for prompt in prompts:
            self.tokenizer.encode(prompt)  # refuses what is not Unicode text
        first_seed = secrets.randbelow(2**31) if config.seed is None else config.seed
        seeds = [(first_seed + row) % 2**63 for row in range(len(prompts))]
        result = self._saved_model.run("generate", prompts=prompts, **_inputs(config, seeds))
        return [
            Generation(
                prompt,
                result["text"][row].decode("utf-8"),
                result["finish_reason"][row].decode("ascii"),
                int(result["num_tokens"][row]),
                seeds[row],
            )
            for row, prompt in enumerate(prompts)
        ]


def _inputs(config: SamplingConfig, seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """Return the inputs of `generate` but the prompts: a row for all, and one a seed."""
    values = dataclasses.asdict(config)
    bias = values.pop("logit_bias")
    inputs: dict[str, np.ndarray] = {
        "seed": np.array(seeds, np.int64),
        "max_time": np.array([config.max_time or 0], np.float32),
        "logprobs": np.array([-1 if config.logprobs is None else config.logprobs], np.int32),
        "bias_text": _texts([text for text, _ in bias]),
        "bias": np.array([[_number(value) for _, value in bias]], np.float32).reshape(1, -1),
    }
    for name, value in values.items():
        if name not in inputs:
            texts = isinstance(value, tuple)
            inputs[name] = _texts(value) if texts else np.array([_number(value)])
    return inputs


def _texts(values: Sequence[str]) -> np.ndarray:
    return np.array([[text.encode() for text in values]], object).reshape(1, -1)


def _number(value: float) -> float:
    """Return the nearest number that an input of the model can hold."""
    limit = _LARGEST_FLOAT32
    return value if abs(value) < 2**31 else float(max(-limit, min(value, limit)))


def load(
    name_or_path: str | os.PathLike[str] | None = None,
    models_dir: str | os.PathLike[str] | None = None,
) -> TextGenerator:
    """Load a model by name or path; the newest one where none is named.

    Args:
        name_or_path: a name in the models folder, or a folder anywhere.
        models_dir: the models folder; TEXTGEN_MODELS or ./saved_models where `None`.

    Raises:
        ModelNotFoundError: there is no such model.
        ModelDamagedError: it cannot be loaded.
        TokenizerError: its tokenizer file is missing or damaged.
    """
    return TextGenerator(Catalog(models_dir).find(name_or_path))

"""A loaded model, and what it can be asked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from textgen.catalog import CARD_PATH, TOKENIZER_PATH, Catalog, ModelEntry
from textgen.config import (
    BeamSearchConfig,
    ContrastiveSearchConfig,
    CorpusConfig,
    SamplingConfig,
)
from textgen.errors import ConfigError, GenerationError, ModelDamagedError, TokenizerError
from textgen.inference.inputs import as_inputs, make_inputs, make_seeds
from textgen.inference.records import Generation, Score, token_logprobs
from textgen.inference.stream import LONGEST_CALL, Outputs, Pieces, TextStream
from textgen.runtime import SavedModel
from textgen.tokenizer import Tokenizer, load_tokenizer
from textgen.unicode import encode_unicode

_SIGNATURES = (
    *("generate", "prefill", "decode", "score"),
    *("beam_search", "contrastive_search"),
)


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
        self.saved_model = SavedModel(entry.path)
        missing = [name for name in _SIGNATURES if name not in self.saved_model.signatures]
        if missing:
            raise ModelDamagedError(
                f"{entry.path}: the SavedModel has no signature {missing[0]!r}. It may have been "
                "exported by an older textgen: train it again, or resume its training."
            )

    def close(self) -> None:
        """Free the model's memory."""
        self.saved_model.close()

    def __enter__(self) -> TextGenerator:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def clean(self, prompt: str) -> str:
        """Return the prompt cleaned as the corpus was."""
        if not self._corpus_config.cleans:
            return prompt
        from textgen.corpus import clean  # takes as long as writing a hundred tokens

        return clean(prompt, self._corpus_config)

    def unknown_characters(self, prompt: str) -> list[str]:
        """Return the characters of a prompt that the model has never seen, in order.

        Raises:
            TokenizerError: the prompt is not Unicode text.
        """
        return self.tokenizer.unknown_characters(self._checked(prompt))

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
                can be had again alone, but for a rare draw that rounding decides: a batch of
                another size rounds otherwise.

        Raises:
            TokenizerError: a prompt is not Unicode text.
        """
        config = config or SamplingConfig()
        prompts = [self._checked(prompt) for prompt in prompts]
        seeds = make_seeds(config, len(prompts))
        inputs = {"prompts": prompts, **make_inputs(config, seeds)}
        outputs: list[Outputs] = []
        if config.max_new_tokens <= LONGEST_CALL:
            outputs.append(self.saved_model.run("generate", **inputs))
        else:
            pieces = Pieces(self.saved_model, **inputs)
            while not outputs or not all(outputs[-1]["finish_reason"]):
                outputs.append(pieces.write(LONGEST_CALL))
        return [
            self._generation(prompt, seeds[row], config, outputs, row)
            for row, prompt in enumerate(prompts)
        ]

    def stream(self, prompt: str = "", **sampling: Any) -> TextStream:
        """Continue one prompt, and give the text piece by piece while it is written.

        Args:
            prompt: as in `generate`.
            **sampling: fields of `SamplingConfig`.

        Returns:
            An iterator over pieces that together are the text `generate` would return; its
            `result` is the `Generation`. Nothing is written before the first piece is
            asked for.

        Raises:
            ConfigError: a setting is outside its range.
            TokenizerError: the prompt is not Unicode text.
        """
        config = SamplingConfig(**sampling)
        prompt = self._checked(prompt)
        (seed,) = seeds = make_seeds(config, 1)
        inputs = {"prompts": [prompt], **make_inputs(config, seeds)}
        return TextStream(
            lambda: Pieces(self.saved_model, **inputs),
            lambda outputs: self._generation(prompt, seed, config, outputs, row=0),
        )

    def search(
        self, prompt: str, config: BeamSearchConfig | ContrastiveSearchConfig | None = None
    ) -> Generation:
        """Continue one prompt by a text that is searched for, not drawn.

        Args:
            prompt: as in `generate`.
            config: how to search; beam search with its defaults where `None`.

        Raises:
            TokenizerError: the prompt is not Unicode text.
        """
        config = config or BeamSearchConfig()
        is_beam_search = isinstance(config, BeamSearchConfig)
        prompt = self._checked(prompt)
        outputs = self.saved_model.run(
            "beam_search" if is_beam_search else "contrastive_search",
            prompts=[prompt],
            **as_inputs(config.to_dict()),
        )
        return Generation(
            prompt=prompt,
            text=outputs["text_bytes"][0].decode("utf-8", errors="replace"),
            finish_reason=outputs["finish_reason"][0].decode("ascii"),
            num_tokens=int(outputs["num_tokens"][0]),
            seed=None,
        )

    def score(self, text: str) -> Score:
        """Tell how likely the model finds a text, from its beginning.

        Past the context length each token is predicted from at least half a context
        before it.

        Args:
            text: any text; characters the model has never seen count as unknown.

        Raises:
            GenerationError: the model's weights are not numbers.
            TokenizerError: the text is not Unicode text.
        """
        text = self._checked(text)
        outputs = self.saved_model.run("score", texts=[text])
        logprobs = outputs["logprobs"][0]
        if not np.isfinite(logprobs).all():
            raise GenerationError(
                f"{self.entry.path}: the model gives probabilities that are no numbers; "
                "its weights are broken."
            )
        return Score(text, outputs["token_ids"][0], logprobs, self.tokenizer.pieces)

    def _checked(self, text: str) -> str:
        """Return a text as the model sees it."""
        if not isinstance(text, str):
            raise ConfigError(f"A prompt or a text must be a string. Received: {text!r}")
        text = self.clean(text)
        encode_unicode(text, TokenizerError)  # for its check
        return text

    def _generation(
        self, prompt: str, seed: int, config: SamplingConfig, outputs: list[Outputs], row: int
    ) -> Generation:
        """Join what one or several calls wrote in a row."""
        text = b"".join(part["text_bytes"][row] for part in outputs)
        logprobs = top_logprobs = None
        if config.logprobs is not None:
            pieces = self.tokenizer.pieces
            ids, own, top_ids, top = (
                [token for part in outputs for token in part[name][row, : part["num_tokens"][row]]]
                for name in ("token_ids", "logprobs", "top_token_ids", "top_logprobs")
            )
            logprobs = tuple(token_logprobs(np.array(ids), np.array(own), pieces))
            top_logprobs = tuple(
                tuple(token_logprobs(*alternatives, pieces))
                for alternatives in zip(top_ids, top, strict=True)
            )
        return Generation(
            prompt=prompt,
            text=text.decode("utf-8", errors="replace"),
            finish_reason=outputs[-1]["finish_reason"][row].decode("ascii") if outputs else "",
            num_tokens=sum(int(part["num_tokens"][row]) for part in outputs),
            seed=seed,
            logprobs=logprobs,
            top_logprobs=top_logprobs,
        )


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

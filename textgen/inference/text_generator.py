"""A loaded model: generate, stream, search and score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from textgen.card import ModelCard
from textgen.catalog import TOKENIZER_PATH, ModelEntry
from textgen.config import BeamSearchConfig, ContrastiveSearchConfig, SamplingConfig
from textgen.errors import GenerationError
from textgen.inference.cleaning import TextCleaner
from textgen.inference.constraints import ConstraintFeeds
from textgen.inference.control_texts import clean_controls, ineffective_controls
from textgen.inference.decoders import Decoders
from textgen.inference.feeds import feeds, make_seeds, merge_settings, prompt_feeds, sampling_feeds
from textgen.inference.opening import open_saved_model
from textgen.inference.prompts import PromptMaker
from textgen.inference.results import Generation, Score, make_generation
from textgen.inference.row_parts import generate_in_parts
from textgen.inference.stream import MAX_TOKENS_PER_CALL, TextStream
from textgen.tokenizer import Tokenizer, load_tokenizer


class TextGenerator:
    """An exported model, loaded and ready to generate.

    The methods that generate take settings as a config, as keywords, or both: keywords replace
    the fields of the config. Several threads may use one model at the same time.

    Args:
        entry: The model to load. `load` finds one by name.
        num_threads: Threads per operation. Defaults to those that suit a single text.

    Attributes:
        entry: The model's name, version and folder.
        card: The model card: what the model is, and what it was trained on.
        tokenizer: The model's tokenizer.
        saved_model: The SavedModel, whose signatures take arrays.
        constraint_feeds: Makes its inputs that say what a text must, or must not, contain.
        make_prompts: Puts the model's template around a prompt, if it learned to answer.

    Raises:
        ModelDamagedError: If the SavedModel cannot be loaded, or textgen did not export it.
        TokenizerError: If its tokenizer file is missing or damaged.

    Example:
        >>> entry = textgen.Catalog().find("shakespeare")
        >>> with textgen.TextGenerator(entry) as model:
        ...     text = model.generate("ROMEO:", temperature=0.7, stop=["."]).text
    """

    def __init__(self, entry: ModelEntry, num_threads: int | None = None) -> None:
        self.entry = entry
        self.card: ModelCard = entry.card
        self.tokenizer: Tokenizer = load_tokenizer(entry.path / TOKENIZER_PATH)
        self._cleaner = TextCleaner(entry, self.tokenizer)
        self.make_prompts = PromptMaker(entry, self.tokenizer)
        entry.check_files()
        self.saved_model = open_saved_model(entry, num_threads)
        self.constraint_feeds = ConstraintFeeds(self.saved_model, self.tokenizer)
        self._decoder = Decoders(entry, self.saved_model, self.constraint_feeds)

    def close(self) -> None:
        """Free the model's memory.

        Calls that other threads have begun finish first; later calls raise
        `GenerationError`. Closing twice is allowed.
        """
        self.make_prompts.close()
        self.saved_model.close()

    def __enter__(self) -> TextGenerator:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def clean(self, prompt: str) -> str:
        """Return the prompt with the line ends and the cleaning that the corpus had.

        Example:
            >>> model.clean("Once upon a time")
            'once upon a time'
        """
        return self._cleaner(prompt)

    def unknown_characters(self, prompt: str) -> list[str]:
        """Return the characters of a prompt that the model has never seen, in order.

        Raises:
            TokenizerError: If the prompt is not Unicode text.

        Example:
            >>> model.unknown_characters("Once ☃")
            ['☃']
        """
        return self.tokenizer.unknown_characters(self._cleaner.checked(prompt))

    def ineffective_controls(
        self, config: SamplingConfig | BeamSearchConfig | ContrastiveSearchConfig
    ) -> list[tuple[str, str]]:
        """Return the stop strings, banned and biased texts of a config that can never act.

        Returns:
            Pairs of the setting's name and the text.

        Example:
            >>> model.ineffective_controls(textgen.SamplingConfig(stop=["☃"]))
            [('stop', '☃')]
        """
        return ineffective_controls(config, self.clean, self.tokenizer.unknown_characters)

    def generate(
        self, prompt: str = "", config: SamplingConfig | None = None, **settings: Any
    ) -> Generation:
        """Continue one prompt.

        Args:
            prompt: Any text. Characters that the model has never seen count as unknown.
            config: How to sample. Defaults to `SamplingConfig()`.
            **settings: As `generate_batch` takes them.

        Raises:
            ConfigError: If a setting is outside its range.
            TokenizerError: If the prompt is not Unicode text.

        Example:
            >>> model.generate("Once upon", max_new_tokens=20, temperature=0.7).num_tokens
            20
        """
        return self.generate_batch([prompt], config, **settings)[0]

    def generate_batch(
        self,
        prompts: Sequence[str],
        config: SamplingConfig | None = None,
        *,
        label: str | None = None,
        raw: bool = False,
        parse_special: bool = False,
        **settings: Any,
    ) -> list[Generation]:
        """Continue several prompts in one batch.

        Row `i` samples with `seed + i`, so each text can be generated again on its own, unless
        rounding decides a rare sample: batches of different sizes round differently.

        Args:
            prompts: Any texts.
            config: How to sample. Defaults to `SamplingConfig()`.
            label: The label of the texts, if the model learned labels.
            raw: Whether to continue the prompts as they are, even if the model answers prompts.
            parse_special: Whether the prompts are rendered templates, where `<|im_end|>` is a
                token. `ImportedTokenizer.protect` keeps what a person typed from it.
            **settings: Fields of `SamplingConfig`, which replace those of `config`.

        Raises:
            ConfigError: If a setting is outside its range, or special tokens have no texts.
            TokenizerError: If a prompt is not Unicode text.

        Example:
            >>> rows = model.generate_batch(["Once", "Then"], max_new_tokens=20, seed=7)
            >>> [row.seed for row in rows]
            [7, 8]
        """
        config = clean_controls(merge_settings(config, settings, SamplingConfig), self.clean)
        asked, prompts, parse_special = self._asked(prompts, label, raw, parse_special)
        seeds = make_seeds(config, len(prompts))
        inputs = prompt_feeds(self.saved_model, prompts, parse_special)
        inputs |= sampling_feeds(config, seeds) | self.constraint_feeds(config, prompts)
        if config.max_new_tokens <= MAX_TOKENS_PER_CALL and not self._decoder.needs_corpus(config):
            outputs = [generate_in_parts(self.saved_model, inputs, len(prompts))]
        else:
            decoder, outputs = self._decoder(config, inputs), []
            while not outputs or not all(outputs[-1]["finish_reason"]):
                outputs.append(decoder.decode(MAX_TOKENS_PER_CALL))
        rows = enumerate(zip(asked, seeds, strict=True))
        pieces = self._pieces(config)
        return [make_generation(*given, outputs, row, pieces) for row, given in rows]

    def stream(
        self,
        prompt: str = "",
        config: SamplingConfig | None = None,
        *,
        label: str | None = None,
        raw: bool = False,
        parse_special: bool = False,
        **settings: Any,
    ) -> TextStream:
        """Continue one prompt and yield the text in chunks while it is generated.

        Args:
            prompt: Any text. Characters that the model has never seen count as unknown.
            config: How to sample. Defaults to `SamplingConfig()`.
            label: See `generate_batch`.
            raw: See `generate_batch`.
            parse_special: See `generate_batch`.
            **settings: Fields of `SamplingConfig`, which replace those of `config`.

        Returns:
            An iterator over chunks of the text that `generate` would return, whose `result` is
            the `Generation`. The model starts when the first chunk is requested.

        Raises:
            ConfigError: If a setting is outside its range.
            TokenizerError: If the prompt is not Unicode text.

        Example:
            >>> chunks = list(model.stream("Once upon", max_new_tokens=20))
        """
        config = clean_controls(merge_settings(config, settings, SamplingConfig), self.clean)
        (asked,), prompts, parse_special = self._asked([prompt], label, raw, parse_special)
        (seed,) = seeds = make_seeds(config, 1)
        inputs = prompt_feeds(self.saved_model, prompts, parse_special)
        inputs |= sampling_feeds(config, seeds) | self.constraint_feeds(config, prompts)
        return TextStream(
            lambda: self._decoder(config, inputs),
            lambda outputs: make_generation(asked, seed, outputs, 0, self._pieces(config)),
        )

    def search(
        self,
        prompt: str = "",
        config: BeamSearchConfig | ContrastiveSearchConfig | None = None,
        *,
        label: str | None = None,
        raw: bool = False,
        **settings: Any,
    ) -> Generation:
        """Continue one prompt with a text that is searched for instead of sampled.

        Args:
            prompt: Any text. Characters that the model has never seen count as unknown.
            config: How to search; its class chooses the kind. Defaults to `BeamSearchConfig()`.
            label: See `generate_batch`.
            raw: See `generate_batch`.
            **settings: Fields of the config's class, which replace those of `config`.

        Raises:
            ConfigError: If a setting is outside its range.
            TokenizerError: If the prompt is not Unicode text.

        Example:
            >>> model.search("Once upon", num_beams=2, max_new_tokens=20).score <= 0
            True
            >>> contrastive = textgen.ContrastiveSearchConfig(max_new_tokens=20)
            >>> model.search("Once upon", contrastive).num_tokens
            20
        """
        config = merge_settings(config, settings, BeamSearchConfig, ContrastiveSearchConfig)
        config = clean_controls(config, self.clean)
        (asked,), prompts, parse_special = self._asked([prompt], label, raw, False)
        name = "beam_search" if isinstance(config, BeamSearchConfig) else "contrastive_search"
        inputs = prompt_feeds(self.saved_model, prompts, parse_special)
        outputs = self.saved_model.run(name, **inputs, **feeds(config.to_dict()))
        return make_generation(asked, None, [outputs], 0)

    def score(self, text: str) -> Score:
        """Return the probability that the model assigns to a text, from its beginning.

        Past the context length, at least half a context predicts each token.

        Args:
            text: Any text. Characters that the model has never seen count as unknown.

        Raises:
            GenerationError: If the model's weights are not numbers.
            TokenizerError: If the text is not Unicode text.

        Example:
            >>> model.score("Once upon a time").perplexity > 1
            True
        """
        text = self._cleaner.checked(text)
        outputs = self.saved_model.run("score", texts=[text])
        logprobs = outputs["logprobs"][0]
        if not np.isfinite(logprobs).all():
            raise GenerationError(
                f"{self.entry.path}: the model returns probabilities that are not numbers; "
                "its weights are broken."
            )
        return Score(text, outputs["token_ids"][0], logprobs, self.tokenizer)

    def _asked(
        self, prompts: Sequence[str], label: str | None, raw: bool, parse_special: bool
    ) -> tuple[list[str], list[str], bool]:
        """Return cleaned prompts, what is to be continued, and whether to parse special tokens."""
        asked = [self._cleaner.checked(prompt) for prompt in prompts]
        if parse_special:
            return asked, asked, True
        # Cleaned after the template is around it, as in training.
        made, is_special = self.make_prompts(prompts, label, raw)
        return asked, [self._cleaner.checked(prompt) for prompt in made], is_special

    def _pieces(self, config: SamplingConfig) -> list[bytes] | None:
        return None if config.logprobs is None else self.tokenizer.pieces

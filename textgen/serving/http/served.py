"""One loaded model: its tokenizer, its engine, and the prompts that its engine expects."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from textgen.catalog import ModelEntry
from textgen.config import SamplingConfig
from textgen.errors import ConfigError, GenerationError
from textgen.gram_table import GRAM_BYTES
from textgen.inference import TextGenerator
from textgen.inference.dialogue import Chat
from textgen.inference.feeds import sampling_feeds
from textgen.serving.http.batch import Prompt
from textgen.serving.http.completion_request import CompletionRequest, PromptValue
from textgen.serving.http.engine import Engine, Observer
from textgen.serving.http.errors import ApiError
from textgen.serving.http.limits import Limits
from textgen.tokenizer import ImportedTokenizer

# A character that no corpus should hold stands for the unknown token in a prompt of ids.
_UNSEEN = "\uf8ff"


class ServedModel:
    """A model that answers requests.

    Args:
        entry: Which model to load.
        limits: How many rows it decodes together, and how many may wait.
        observer: Receives reports of the engine.

    Raises:
        ModelDamagedError: If the SavedModel cannot be loaded.
        TokenizerError: If its tokenizer file is missing or damaged.
    """

    def __init__(self, entry: ModelEntry, limits: Limits, observer: Observer | None = None) -> None:
        self.entry = entry
        self.generator = TextGenerator(entry)
        self.tokenizer = self.generator.tokenizer
        self.saved_model = self.generator.saved_model
        self.created = int(os.path.getmtime(entry.path / "saved_model.pb"))
        self.context_length: int = self.generator.card.model.context_length
        self.token_names = [_token_name(piece) for piece in self.tokenizer.pieces]
        # What clients call the tokens that stand for no text.
        self.special_ids = {text: i for i, text in self.tokenizer.special_texts.items()}
        for name, token_id in self.special_ids.items():
            self.token_names[token_id] = name
        self._warm_up()
        self.engine = Engine(
            self.saved_model,
            max_rows=limits.max_rows,
            max_waiting=limits.max_waiting,
            observer=observer,
        )

    def close(self) -> None:
        """Stop the engine and free the model."""
        self.engine.close()
        if "chat" in self.__dict__ and self.chat is not None:
            self.chat.close()
        self.generator.close()

    def _warm_up(self) -> None:
        """Run once what requests need: the first run of a signature prepares its graph."""
        self.generator.generate("Once", max_new_tokens=2, seed=0, raw=True)
        for _ in self.generator.stream("Once", max_new_tokens=2, seed=0, logprobs=1, raw=True):
            pass

    @property
    def _boundaries(self) -> set[int]:
        return {self.tokenizer.special.bos, *self.tokenizer.eos_ids}

    def num_boundaries(self, ids: Sequence[int]) -> int:
        """Return how many BOS and EOS tokens a list of ids begins with."""
        texts = (index for index, i in enumerate(ids) if i not in self._boundaries)
        return next(texts, len(ids))

    @cached_property
    def chat(self) -> Chat | None:
        """The `Chat` that renders dialogues, or `None` if the model has no chat template."""
        try:
            return Chat(self.generator)
        except ConfigError:
            return None

    def encode_prompt(
        self, value: PromptValue, parse_special: bool = False
    ) -> tuple[bytes, list[int]]:
        """Return a prompt as the model sees it.

        Args:
            value: A text, or token ids. These may begin with special tokens, which stand for
                the beginning that every prompt has anyway.
            parse_special: Whether a text is a rendered template; see `Chat.prompt`.

        Returns:
            Its UTF-8 bytes, and its token ids with the special tokens it began with.

        Raises:
            ApiError: If a token id is not in the vocabulary, or cannot be part of a text.
        """
        if isinstance(value, str):
            if parse_special and isinstance(self.tokenizer, ImportedTokenizer):
                return value.encode("utf-8"), self.tokenizer.encode_with_special(value).tolist()
            text = self.generator.clean(value)
            return text.encode("utf-8"), self.tokenizer.encode(text).tolist()
        pieces = self.tokenizer.pieces
        ids = list(value)
        if not all(0 <= token_id < len(pieces) for token_id in ids):
            raise ApiError(400, f"Token ids must be in [0, {len(pieces) - 1}]", param="prompt")
        unseen, unknown = _UNSEEN.encode(), self.tokenizer.special.unknown
        rest = ids[self.num_boundaries(ids) :]
        if any(i in self._boundaries or (i != unknown and not pieces[i]) for i in rest):
            message = "Special tokens may stand only at the beginning of a prompt"
            raise ApiError(400, message, param="prompt")
        return b"".join(unseen if i == unknown else pieces[i] for i in rest), ids

    def prompts(
        self, request: CompletionRequest, texts: list[bytes], seeds: list[int]
    ) -> list[Prompt]:
        """Return what the engine's rows start from, `num_choices` for each text.

        Args:
            request: How to sample.
            texts: The prompts' UTF-8 bytes.
            seeds: One for each row.

        Raises:
            ApiError: If `logit_bias` names a token that does not exist, or a constraint cannot be
                followed.
        """
        if any(token_id >= self.tokenizer.vocab_size for token_id in request.token_bias):
            message = f"Token ids must be in [0, {self.tokenizer.vocab_size - 1}]"
            raise ApiError(400, message, param="logit_bias")
        shared = sampling_feeds(request.config, seeds[:1])
        if "novel" in self.saved_model.signatures["prefill"].inputs:
            # Rows that join one batch have the same inputs.
            shared["novel"] = np.zeros(1, np.int32)
        try:
            constraints = self.generator.constraint_feeds(request.config, texts)
        except (ConfigError, GenerationError) as error:
            raise ApiError(400, str(error)) from None
        if request.config.novel is not None:
            if not self.generator.constraint_feeds.keeps_novel(request.config):
                message = (
                    f"novel needs a model with an index of its corpus, and at least {GRAM_BYTES} "
                    f"characters. Received: {request.config.novel}"
                )
                raise ApiError(400, message, param="novel")
            shared["novel"] = constraints.pop("novel")
        if not constraints and "automaton" in self.saved_model.signatures["prefill"].inputs:
            constraints = {
                "automaton": np.array([b""] * len(texts), object),
                "automaton_state": np.zeros(len(texts), np.int32),
            }
        if "parse_special" in self.saved_model.signatures["prefill"].inputs:
            shared["parse_special"] = np.array([request.parse_special])
        numbers = [row // request.num_choices for row in range(len(seeds))]
        return [
            Prompt(
                {
                    **shared,
                    # One row stands for all.
                    **{
                        name: values[[number % len(values)]] for name, values in constraints.items()
                    },
                    "prompts": np.array([texts[number]], object),
                    "seed": np.array([seed], np.int64),
                },
                request.token_bias,
            )
            for number, seed in zip(numbers, seeds, strict=True)
        ]

    def score(
        self,
        prompts: list[tuple[bytes, list[int]]],
        num_alternatives: int,
        is_cancelled: Callable[[], bool],
    ) -> list[dict[str, Any]]:
        """Return the log-probabilities of the tokens of prompts.

        Every token is forced by a bias, and what `decode` reports of it is what it reports of
        generated tokens: the probability before any control.

        Args:
            prompts: From `encode_prompt`.
            num_alternatives: Most likely tokens to report at each position.
            is_cancelled: Asked before every token; if it is true, the rest is left out.

        Returns:
            For every prompt `token_ids`, `logprobs` (`None` for special tokens at the
            beginning), `top_token_ids` and `top_logprobs`, all without special tokens.
        """
        forced = [ids[self.num_boundaries(ids) :] for _, ids in prompts]
        longest = max(map(len, forced))
        rows, unknown = len(prompts), self.tokenizer.special.unknown
        parts: list[dict[str, np.ndarray]] = []
        if longest:
            config = SamplingConfig(
                max_new_tokens=longest, temperature=0.0, logprobs=num_alternatives
            )
            state = self.saved_model.run_tensors(
                "prefill", prompts=[""] * rows, **sampling_feeds(config, [0] * rows)
            )
            for step in range(longest):
                if is_cancelled():
                    break
                bias = np.full((rows, self.tokenizer.vocab_size), -np.inf, np.float32)
                for row, ids in enumerate(forced):
                    # A row that is over continues with any token, which is left out below.
                    bias[row, ids[step] if step < len(ids) else unknown] = 0
                outputs = self.saved_model.run_tensors(
                    "decode", num_tokens=[1], **{**state, "state_bias": bias}
                )
                state = {name: outputs.pop(name) for name in state}
                names = ("logprobs", "top_token_ids", "top_logprobs")
                parts.append({name: outputs[name].numpy() for name in names})
        return [
            {
                "token_ids": ids,
                **{
                    name: [part[name][row, 0] for part in parts[: len(ids)]]
                    for name in ("logprobs", "top_token_ids", "top_logprobs")
                },
            }
            for row, ids in enumerate(forced)
        ]


def _token_name(piece: bytes) -> str:
    """Return a token's text; as OpenAI does, `bytes:...` if it is part of a character."""
    try:
        return piece.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in piece)

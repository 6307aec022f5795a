"""How much one request may ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of one request, and of the server as a whole.

    Attributes:
        max_body_bytes: Size of a request's body.
        max_prompt_characters: Length of one prompt.
        max_tokens: Tokens to generate per text.
        max_texts: Texts per request: prompts times `n`.
        max_stop_strings: Stop strings per request, and banned texts.
        max_stop_characters: Length of one of them, and of a pattern.
        max_avoid_characters: Length of all texts to avoid together, and of a JSON schema.
        max_logit_biases: Entries of `logit_bias`.
        max_logprobs: Alternatives per token.
        max_seconds: Time to generate one text.
        max_read_seconds: Time a client may take to send its request.
        max_rows: Texts decoded together.
        max_waiting: Texts waiting to be decoded.
    """

    max_body_bytes: int = 4 * 2**20
    max_prompt_characters: int = 32_768
    max_tokens: int = 4096
    max_texts: int = 128
    max_stop_strings: int = 32
    max_stop_characters: int = 256
    max_avoid_characters: int = 32_768
    max_logit_biases: int = 1024
    max_logprobs: int = 20
    max_seconds: float = 600.0
    max_read_seconds: float = 30.0
    max_rows: int = 32
    max_waiting: int = 256

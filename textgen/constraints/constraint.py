"""From settings to the automaton that a text must follow."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import numpy as np

from textgen.config import SamplingConfig
from textgen.constraints.automaton import Automaton, intersect
from textgen.constraints.encoding import EncodedAutomaton, encode_automaton
from textgen.constraints.json_schema import schema_pattern
from textgen.constraints.letter_case import case_variants
from textgen.constraints.patterns import avoid_patterns, match_pattern
from textgen.constraints.phrases import avoid_phrases
from textgen.constraints.vocabulary import UNREACHABLE, TokenWalk
from textgen.errors import ConfigError

# How far back in a prompt a pattern to avoid may begin.
_MAX_PROMPT_BYTES = 512


class ConstraintBuilder:
    """Builds automata for one model, and keeps the newest ones.

    Args:
        pieces: The bytes of each token, by id.
        eos: The id of the token that ends a text.

    Example:
        >>> builder = ConstraintBuilder([b"", b"a", b"b"], eos=0)
        >>> config = SamplingConfig(avoid=["ab"])
        >>> content, state = builder.build(config, b"a", np.array([False, True, True]))
    """

    def __init__(self, pieces: Sequence[bytes], eos: int) -> None:
        self._pieces = pieces
        self._eos = eos
        # An automaton of a thousand phrases takes a few megabytes.
        self._encoded = functools.lru_cache(maxsize=16)(self._encode)

    def build(self, config: SamplingConfig, prompt: bytes, usable: np.ndarray) -> tuple[bytes, int]:
        """Return the automaton of a config.

        Args:
            config: The settings.
            prompt: UTF-8, what the text continues. A phrase to avoid may begin in it.
            usable: bool[V], the tokens that the model can generate.

        Returns:
            The inputs `automaton` and `automaton_state` of an exported graph.

        Raises:
            ConfigError: If no automaton can follow a setting, or no text of the model can.
        """
        avoided = (config.avoid, config.avoid_regex, config.ignore_case)
        patterns = _patterns(config, prompt)
        state = 0
        if config.avoid or config.avoid_regex:
            state = _avoiding(*avoided).run_end(prompt[-_MAX_PROMPT_BYTES:])
        joint = state if patterns else 0
        encoded, distances = self._encoded(avoided, patterns, joint, usable.tobytes())
        start = 0 if patterns else state
        _check(config, int(distances[start]))
        return encoded.content, int(encoded.names[start])

    @functools.cached_property
    def _walk(self) -> TokenWalk:
        return TokenWalk(self._pieces)

    def _encode(
        self, avoided: tuple, patterns: tuple[tuple[str, str], ...], state: int, usable: bytes
    ) -> tuple[EncodedAutomaton, np.ndarray]:
        automata = [_matching(*each) for each in patterns]
        automaton = automata[0] if automata else _avoiding(*avoided)
        for other in automata[1:]:
            automaton = intersect(automaton, other, (0, 0))
        if automata and (avoided[0] or avoided[1]):
            automaton = intersect(_avoiding(*avoided), automaton, (state, 0))
        is_usable = np.frombuffer(usable, bool)
        distances = self._walk.distances(automaton, is_usable, bool(is_usable[self._eos]))
        return encode_automaton(automaton, distances), distances


def _patterns(config: SamplingConfig, prompt: bytes) -> tuple[tuple[str, str], ...]:
    """The patterns that the text must match as a whole, each after the name of its setting."""
    given = (("regex", config.regex), ("json_schema", config.json_schema))
    patterns = tuple((name, text) for name, text in given if text is not None)
    letters = "".join((config.acrostic or "").split())
    if not letters:
        return patterns
    lines = (f"[{''.join(map(re.escape, case_variants(letter)))}].+" for letter in letters)
    # The first letter stands at the beginning of a line.
    begin = "\n" if prompt and not prompt.endswith(b"\n") else ""
    return (*patterns, ("acrostic", begin + "\n".join(lines)))


@functools.lru_cache(maxsize=16)
def _matching(name: str, text: str) -> Automaton:
    return match_pattern(schema_pattern(text) if name == "json_schema" else text, name)


@functools.lru_cache(maxsize=16)
def _avoiding(avoid: tuple[str, ...], avoid_regex: tuple[str, ...], ignore_case: bool) -> Automaton:
    if not avoid_regex:
        return avoid_phrases(avoid, ignore_case)
    patterns = avoid_patterns(avoid_regex, ignore_case)
    return intersect(avoid_phrases(avoid, ignore_case), patterns, (0, 0)) if avoid else patterns


def _check(config: SamplingConfig, distance: int) -> None:
    """Check that a text can satisfy the constraints within the maximum number of tokens."""
    names = ("regex", "json_schema", "acrostic", "avoid", "avoid_regex")
    given = " and ".join(name for name in names if getattr(config, name))
    if distance == UNREACHABLE:
        raise ConfigError(f"{given} must leave a text that the model can generate")
    if distance > config.max_new_tokens:
        raise ConfigError(
            f"max_new_tokens must be at least {distance} to satisfy {given}. "
            f"Received: {config.max_new_tokens}"
        )

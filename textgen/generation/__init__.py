"""From prompts to texts: the decode loop over any model that keeps the contract."""

from textgen.generation.generator import Generator
from textgen.generation.inputs import default_inputs
from textgen.generation.records import FINISH_REASONS, Request, Writing, Written
from textgen.generation.scoring import Scored

__all__ = [
    "FINISH_REASONS",
    "Generator",
    "Request",
    "Scored",
    "Writing",
    "Written",
    "default_inputs",
]

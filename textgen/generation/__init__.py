"""From prompts to texts: the decode loop over any model that keeps the contract."""

from textgen.generation.generator import Generator
from textgen.generation.graph_inputs import (
    SEARCH_INPUTS,
    beam_search_inputs,
    contrastive_search_inputs,
    default_inputs,
)
from textgen.generation.records import (
    FINISH_REASONS,
    BeamSearched,
    ContrastiveSearched,
    Request,
    Writing,
    Written,
)
from textgen.generation.sample import SampleWriter
from textgen.generation.scoring import Scored

__all__ = [
    "FINISH_REASONS",
    "SEARCH_INPUTS",
    "BeamSearched",
    "ContrastiveSearched",
    "Generator",
    "Request",
    "SampleWriter",
    "Scored",
    "Writing",
    "Written",
    "beam_search_inputs",
    "contrastive_search_inputs",
    "default_inputs",
]

"""From prompts to texts: the decode loop, over any model that fulfills the contract."""

from textgen.generation.draft_table import DraftTable
from textgen.generation.generator import Generator
from textgen.generation.graph_inputs import (
    NOVEL_INPUTS,
    SEARCH_INPUTS,
    TEMPLATE_INPUTS,
    beam_search_inputs,
    contrastive_search_inputs,
    default_inputs,
)
from textgen.generation.outputs import (
    FINISH_REASONS,
    BeamSearchOutput,
    ContrastiveSearchOutput,
    GenerationOutput,
    ScoreOutput,
    TokenScoreOutput,
)
from textgen.generation.state import GenerationState, Request
from textgen.generation.training_sample import SampleGenerator

__all__ = [
    "FINISH_REASONS",
    "NOVEL_INPUTS",
    "SEARCH_INPUTS",
    "TEMPLATE_INPUTS",
    "BeamSearchOutput",
    "ContrastiveSearchOutput",
    "DraftTable",
    "GenerationOutput",
    "GenerationState",
    "Generator",
    "Request",
    "SampleGenerator",
    "ScoreOutput",
    "TokenScoreOutput",
    "beam_search_inputs",
    "contrastive_search_inputs",
    "default_inputs",
]

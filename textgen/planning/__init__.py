"""Planning a run: what a machine can learn from a corpus in a given time."""

from textgen.planning.corpus_size import COMPRESSED_CHARACTERS, CorpusSize, compressed_bits
from textgen.planning.cost import teaching_seconds
from textgen.planning.machine import Machine, measure_machine
from textgen.planning.plan import Plan
from textgen.planning.planner import make_plan
from textgen.planning.request import PlanRequest

__all__ = [
    "COMPRESSED_CHARACTERS",
    "CorpusSize",
    "Machine",
    "Plan",
    "PlanRequest",
    "compressed_bits",
    "make_plan",
    "measure_machine",
    "teaching_seconds",
]

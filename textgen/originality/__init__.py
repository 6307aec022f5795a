"""Find the passages of a text that are copied from the corpus of a model."""

from textgen.originality.copies import Passage, Trace, trace
from textgen.originality.corpus_index import CorpusIndex
from textgen.originality.places import Place
from textgen.originality.run_index import RunIndex

__all__ = ["CorpusIndex", "Passage", "Place", "RunIndex", "Trace", "trace"]

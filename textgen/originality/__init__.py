"""Which passages of a text stand in the corpus of a model: whether it writes or copies."""

from textgen.originality.copies import Passage, Trace, trace
from textgen.originality.corpus_index import CorpusIndex
from textgen.originality.places import Place
from textgen.originality.run_index import RunIndex

__all__ = ["CorpusIndex", "Passage", "Place", "RunIndex", "Trace", "trace"]

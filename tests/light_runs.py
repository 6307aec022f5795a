"""Training runs without what takes most of a tiny run's time: each of the two takes seconds.

`patch` is `setattr` in a process of its own, and `monkeypatch.setattr` in the tests'.
"""

# `textgen train`, as a program.
TRAIN = """
from tests import light_runs
from textgen.cli.main import main

light_runs.without_samples()
light_runs.without_graph()
main()
"""


def without_samples(patch=setattr):
    """Let runs in training write no samples, whose graph would be traced."""
    from textgen.generation import SampleGenerator

    patch(SampleGenerator, "__call__", lambda generator, model: "")


def without_graph(patch=setattr):
    """Let runs export weights, tokenizer and card, but trace no graph."""
    from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

    from textgen.export import writer

    patch(writer, "build_signatures", lambda generator: [("prefill", SignatureDef())])
    patch(writer, "sample_state", lambda *arguments: {})
    patch(writer, "write_requests", lambda *arguments: None)

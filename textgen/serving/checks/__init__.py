"""Check that a stock TensorFlow Serving can run a SavedModel, without a server."""

from textgen.serving.checks.proof import prove
from textgen.serving.checks.result import Result

__all__ = ["Result", "prove"]

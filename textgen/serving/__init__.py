"""What a SavedModel needs around it to be served: configuration, publishing, and proof."""

from textgen.serving.configuration import write_configuration
from textgen.serving.proof import Result, prove
from textgen.serving.publishing import publish

__all__ = ["Result", "prove", "publish", "write_configuration"]

"""What a SavedModel needs around it to be served: configuration, publishing, and proof."""

from textgen.serving.configuration import write_configuration
from textgen.serving.proof import prove
from textgen.serving.publishing import publish
from textgen.serving.result import Result

__all__ = ["Result", "prove", "publish", "write_configuration"]

"""What TensorFlow Serving needs around a SavedModel: configuration, publishing and warmup."""

from textgen.serving.tf_serving.configuration import write_configuration
from textgen.serving.tf_serving.publishing import publish
from textgen.serving.tf_serving.warmup import WarmupRequest, read_warmup

__all__ = ["WarmupRequest", "publish", "read_warmup", "write_configuration"]

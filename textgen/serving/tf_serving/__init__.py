"""What TensorFlow Serving needs around a SavedModel: configuration, publishing and warmup."""

from textgen.serving.tf_serving.configuration import (
    rename_in_configuration,
    write_configuration,
)
from textgen.serving.tf_serving.publishing import publish
from textgen.serving.tf_serving.warmup import WarmupRequest, read_warmup

__all__ = [
    "WarmupRequest",
    "publish",
    "read_warmup",
    "rename_in_configuration",
    "write_configuration",
]

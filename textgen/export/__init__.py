"""A trained model as a SavedModel that a stock TensorFlow Serving runs."""

from textgen.export.narrowing import write_narrow
from textgen.export.writer import write_card, write_saved_model

__all__ = ["write_card", "write_narrow", "write_saved_model"]

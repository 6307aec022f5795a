"""Training: one loop for every model and every distribution strategy."""

from textgen.training.loop import Outcome, Trainer
from textgen.training.reporter import Progress, Reporter, Validation

__all__ = ["Outcome", "Progress", "Reporter", "Trainer", "Validation"]

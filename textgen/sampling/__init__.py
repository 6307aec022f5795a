"""From logits to a token: filters, their order, and the draw."""

from textgen.sampling.chain import Chain
from textgen.sampling.draw import draw, uniform
from textgen.sampling.sampling_controls import SamplingControls

__all__ = ["Chain", "SamplingControls", "draw", "uniform"]

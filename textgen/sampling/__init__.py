"""From logits to a token: filters, their order, and the draw."""

from textgen.sampling.chain import Chain
from textgen.sampling.controls import SamplingControls
from textgen.sampling.draw import draw, uniform

__all__ = ["Chain", "SamplingControls", "draw", "uniform"]

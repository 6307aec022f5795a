"""From logits to a token: filters, one draw, and the order in which they run."""

from textgen.sampling.chain import SamplingControls, sample
from textgen.sampling.draw import draw, uniform
from textgen.sampling.filters import keep_top_k, keep_top_p, scale_temperature

__all__ = [
    "SamplingControls",
    "draw",
    "keep_top_k",
    "keep_top_p",
    "sample",
    "scale_temperature",
    "uniform",
]

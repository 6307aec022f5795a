"""The controls that sampling and both searches have in common."""

from __future__ import annotations

from textgen.config.controls import Integer, Stage, Texts

MAX_NEW_TOKENS = Integer(
    default=200,
    low=1,
    stage=Stage.END,
    help="Maximum number of tokens to generate.",
)
STOP = Texts(
    stage=Stage.END,
    help="Stop strings: the text ends with the first of them to appear in it.",
    warmup=("\n\n",),
)
BANNED = Texts(
    stage=Stage.BIAS,
    help="Characters that are never generated. A model with BPE may still spell one that is not "
    "ASCII byte by byte, if it has learned to.",
)

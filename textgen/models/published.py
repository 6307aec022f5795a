"""How published checkpoints of a family name its settings and weights: data, not code.

A family lists the formats of its checkpoints in a module `published.py`, and
`textgen.pretrained` reads checkpoints by these tables. Loading them loads no TensorFlow.

Letters in shapes: V vocabulary, D hidden_dim, H heads, G heads of keys and values, K width of a
head, F width of the feed-forward layer, C context_length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

# A Hugging Face folder, a GGUF file, a KerasHub preset.
FormatName = Literal["hugging_face", "gguf", "keras_hub"]

# The settings, or properties of a config, that the letters in shapes stand for.
DIMENSIONS = {
    "D": "hidden_dim",
    "H": "num_heads",
    "G": "key_value_heads",
    "K": "head_width",
    "F": "feedforward_dim",
    "C": "context_length",
}


class Weight(NamedTuple):
    """One weight of ours, and where a checkpoint has it.

    `"HK D"` is the shape of a matrix with H x K rows and D columns. If ours is `"D H K"`, theirs
    is transposed and its heads are separated.

    Attributes:
        name: Our name; `{}` stands for the number of the block.
        shape: Our shape, one letter per dimension.
        theirs: Their name.
        their_shape: Their shape. A dimension of `"3HK"` has three parts, one after the other.
        part: Which of the three parts it is.
        is_interleaved: Whether the first and the second half of each head's rows alternate.
        condition: The setting that decides whether the model has it, and the deciding value.
    """

    name: str
    shape: str
    theirs: str
    their_shape: str
    part: int = 0
    is_interleaved: bool = False
    condition: tuple[str, bool] | None = None


@dataclass(frozen=True)
class Format:
    """A format in which models of a family are published.

    Attributes:
        kinds: What a checkpoint may call its kind of model, and the settings of ours that each
            implies.
        settings: Our settings, and what they are called there, alternatives in order. A dot
            separates the names of nested objects.
        defaults: Our settings that a checkpoint may leave out, and their values then.
        required: Settings of theirs, and the only values that are supported.
        weights: Where the weights are.
        prefixes: What may precede all names of weights.
        ignored: Endings of the names of weights that are not needed, such as constants.
    """

    kinds: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, tuple[str, ...]]
    weights: tuple[Weight, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    required: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    prefixes: tuple[str, ...] = ("",)
    ignored: tuple[str, ...] = ()

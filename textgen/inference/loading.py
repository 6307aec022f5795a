"""Loading a model by its name."""

from __future__ import annotations

import os

from textgen.catalog import Catalog
from textgen.inference.text_generator import TextGenerator


def load(
    name_or_path: str | os.PathLike[str] | None = None,
    models_dir: str | os.PathLike[str] | None = None,
) -> TextGenerator:
    """Load a model by name or path.

    Args:
        name_or_path: A model's name in the models folder, or a folder anywhere. Defaults to
            the newest model.
        models_dir: The models folder. Defaults to the environment variable TEXTGEN_MODELS,
            or `./saved_models`.

    Returns:
        An open `TextGenerator`; use it in a `with` block.

    Raises:
        ModelNotFoundError: If there is no such model.
        ModelDamagedError: If the model cannot be loaded.
        TokenizerError: If its tokenizer file is missing or damaged.

    Example:
        >>> with textgen.load("shakespeare") as model:
        ...     text = model.generate("ROMEO:").text
    """
    return TextGenerator(Catalog(models_dir).find(name_or_path))

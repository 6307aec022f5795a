"""Packages that only importing a published model needs."""

from __future__ import annotations

import importlib
from types import ModuleType

from textgen.errors import PublishedModelError


def need(module: str, purpose: str) -> ModuleType:
    """Import a module of the extra `pretrained`.

    Args:
        module: Its name.
        purpose: What it does, for the error.

    Raises:
        PublishedModelError: If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise PublishedModelError(
            f"{purpose} needs the package {package}: pip install {package}"
        ) from error

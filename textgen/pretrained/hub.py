"""Models at addresses: `hf://` and `kaggle://`. Nothing else here touches the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from textgen.errors import PublishedModelError, first_line
from textgen.pretrained.packages import need

_SCHEMES = ("hf://", "kaggle://")
_PARTS = {"hf://": (2,), "kaggle://": (4, 5)}
_FILES = ("*.json", "*.jinja", "README.md", "merges.txt", "*.safetensors", "*.h5", "assets/*")


def is_address(source: str) -> bool:
    """Return whether a source is meant as an address on a hub.

    Example:
        >>> is_address("hf://HuggingFaceTB/SmolLM2-135M-Instruct")
        True
    """
    return "://" in source


@contextmanager
def downloaded(address: str) -> Iterator[Path]:
    """Download a model for the block.

    Args:
        address: `hf://OWNER/MODEL` or `kaggle://OWNER/MODEL/FRAMEWORK/VARIANT`.

    Yields:
        The folder.

    Raises:
        PublishedModelError: If it is no such address, or cannot be downloaded.
    """
    scheme = next((each for each in _SCHEMES if address.startswith(each)), None)
    handle = address.removeprefix(scheme or "")
    if scheme is None or len([*filter(None, handle.split("/"))]) not in _PARTS[scheme]:
        raise PublishedModelError(
            "An address must be hf://OWNER/MODEL or kaggle://OWNER/MODEL/FRAMEWORK/VARIANT. "
            f"Received: {address!r}"
        )
    with TemporaryDirectory(prefix="textgen-") as folder:
        try:
            if scheme == "hf://":
                library = need("huggingface_hub", "Downloading from Hugging Face")
                library.snapshot_download(handle, local_dir=folder, allow_patterns=list(_FILES))
                yield Path(folder)
            else:
                path = need("kagglehub", "Downloading from Kaggle").model_download(handle)
                yield Path(path)
        except PublishedModelError:
            raise
        except Exception as error:
            raise PublishedModelError(
                f"{address} cannot be downloaded: {first_line(error)}"
            ) from error

"""The prose of the project: pages and the blocks of code on them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
        ROOT / "benchmarks" / "README.md",
        ROOT / "saved_models" / "README.md",
    ]
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

_FENCE = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)


def code_blocks(text: str, *languages: str) -> list[str]:
    """Return the fenced blocks in one of the languages; "" is a fence that names none."""
    return [block for _, language, block in _FENCE.findall(text) if language.strip() in languages]


def without_code(text: str) -> str:
    """Return a page's prose: no fenced blocks, no inline code."""
    return re.sub(r"`[^`]*`", "", _FENCE.sub("", text))

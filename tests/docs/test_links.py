"""Every relative link on a page leads to a file, and to a heading if it names one."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import NAMES, ROOT, without_code

LINK = re.compile(r"\]\(([^)\s]+)\)")


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and MyST make it."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.strip().replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    page = ROOT / name
    broken = []
    for link in LINK.findall(without_code(page.read_text("utf-8"))):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("folder", ["textgen", "cli", "tests", "benchmarks", "examples"])
def test_pages_that_the_code_names_exist(folder):
    named = {
        path
        for file in (ROOT / folder).rglob("*.py")
        for path in re.findall(r"\bdocs/[\w/-]+\.(?:md|svg)\b", file.read_text("utf-8"))
    }
    assert sorted(path for path in named if not (ROOT / path).exists()) == []

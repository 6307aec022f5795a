"""The page to write on: its HTML, and headers that allow nothing but its own scripts."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources


def read() -> str:
    """Return the HTML of the page."""
    return (resources.files("textgen.serving.http") / "page.html").read_text("utf-8")


def headers(html: str) -> dict[str, str]:
    """Return the headers to send the page with.

    Args:
        html: The page, whose inline scripts and styles are the only ones a browser may run.
    """
    policy = (
        "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; "
        f"form-action 'none'; style-src {_hashes(html, 'style')}; "
        f"script-src {_hashes(html, 'script')}; frame-ancestors 'none'"
    )
    return {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}


def _hashes(html: str, tag: str) -> str:
    """Return the sources that allow a page's own inline elements and no others."""
    contents = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    digests = (hashlib.sha256(content.encode("utf-8")).digest() for content in contents)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)

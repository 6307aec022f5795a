"""Draw terminal.svg from terminal.txt, the transcript of a real session.

    python docs/images/terminal.py

Lines that begin with `$` are commands. The picture loads no font from elsewhere.
"""

import io
import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

FOLDER = Path(__file__).parent
WIDTH = 84
# The colors of the site: background, text, and the eight of a terminal, of which `red` is used.
THEME = TerminalTheme((29, 27, 26), (241, 235, 229), [(29, 27, 26), (240, 165, 143)] * 4)


def draw(transcript: str) -> str:
    """Return the picture of a transcript."""
    console = Console(record=True, file=io.StringIO(), width=WIDTH)
    for line in [*transcript.splitlines(), ""]:  # an empty line, as a margin
        if line.startswith("$ "):
            console.print(Text.assemble(("$ ", "red"), (line[2:], "bold")))
        else:
            # A terminal breaks a long line wherever it ends, also within a word.
            console.print(Text(line, overflow="fold", no_wrap=False))
    svg = console.export_svg(title="", theme=THEME, unique_id="terminal")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    svg = draw((FOLDER / "terminal.txt").read_text("utf-8"))
    (FOLDER / "terminal.svg").write_text(svg, "utf-8")

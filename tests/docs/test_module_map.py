"""CONTRIBUTING.md says what every folder and module of textgen holds."""

import re

from tests.docs.pages import ROOT

TABLE = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Where a change belongs")[2]


def test_the_table_names_every_part_of_textgen():
    rows = re.findall(r"^\| (`.+?) \|", TABLE, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(textgen/[\w./]+)`", row)]
    parts = set()
    for path in (ROOT / "textgen").iterdir():
        if path.suffix == ".py" and path.name != "__init__.py":
            parts.add(f"textgen/{path.name}")
        elif path.name == "serving":
            parts |= {f"textgen/serving/{each.parent.name}/" for each in path.glob("*/__init__.py")}
        elif (path / "__init__.py").exists():
            parts.add(f"textgen/{path.name}/")
    assert sorted(named) == sorted(parts)

"""The site builds without a warning, and its reference is complete."""

import re
import subprocess
import sys

import click
import pytest
from textgen.cli.main import cli

import textgen
from tests.docs.pages import DOCS, ROOT
from tests.waiting import PATIENCE


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q"]
    result = subprocess.run(
        [*command, "-d", str(folder / "doctrees"), str(DOCS), str(folder / "html")],
        capture_output=True,
        check=False,
        cwd=ROOT,
        text=True,
        timeout=PATIENCE,
    )
    assert result.returncode == 0, result.stderr
    return folder / "html"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(site):
    assert (site / "index.html").is_file()


@pytest.mark.slow
def test_the_reference_has_every_option_of_every_command(site):
    page = (site / "reference" / "commands.html").read_text("utf-8")
    anchors = set(re.findall(r'id="(cmdoption-textgen-[^"]+)"', page))
    group = click.Context(cli)
    for name in cli.list_commands(group):
        for parameter in cli.get_command(group, name).params:
            if isinstance(parameter, click.Option):
                (option, *_) = (one for one in parameter.opts if one.startswith("--"))
                assert f"cmdoption-textgen-{name}-{option.lstrip('-')}" in anchors


@pytest.mark.slow
def test_the_site_loads_nothing_from_elsewhere(site):
    loads = re.compile(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"')
    found = {url for page in site.rglob("*.html") for url in loads.findall(page.read_text("utf-8"))}
    assert found == set()


def test_the_reference_names_everything_public():
    page = (DOCS / "reference" / "python.md").read_text("utf-8")
    documented = re.findall(r"^\.\. auto\w+:: (\w+)$", page, re.MULTILINE)
    assert sorted(documented) == sorted(name for name in textgen.__all__ if name != "__version__")

"""Options that several commands share."""

import click
import pytest
from click.testing import CliRunner
from textgen.cli.options import Duration, SectionedCommand, in_section


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("300", 300), ("90s", 90), ("10m", 600), ("1h", 3600), ("1.5h", 5400), (" 2 m ", 120)],
)
def test_a_duration_is_a_number_and_a_unit(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize(("text", "meant"), [("2", "2m"), ("10", "10m"), ("0.5", "0.5m")])
def test_a_small_number_without_a_unit_is_hardly_meant_in_seconds(text, meant):
    with pytest.raises(click.BadParameter, match=rf"needs a unit: {meant}\?"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize("text", ["", "m", "0", "0s", "-5", "10 minutes", "1e9", "nan", "9" * 999])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(click.BadParameter, match="must be a duration such as"):
        Duration().convert(text, None, None)


def test_help_lists_what_has_no_section_first_and_every_section_once():
    @click.command(cls=SectionedCommand)
    @in_section("Sea")("--fish")
    @click.option("--any")
    @in_section("Land")("--fox")
    @in_section("Sea")("--whale")
    def command(**settings):
        pass

    shown = CliRunner().invoke(command, ["--help"]).output
    order = ["Options:", "--any", "Sea:", "--fish", "--whale", "Land:", "--fox"]
    assert [shown.count(word) for word in order] == [1] * len(order)
    assert sorted(order, key=shown.index) == order

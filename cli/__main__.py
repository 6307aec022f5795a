"""Lets `python -m textgen.cli` do what `textgen` does."""

from textgen.cli import run

run()

"""Lets `python -m textgen.cli` do what `textgen` does."""

from textgen.cli.main import main

main()

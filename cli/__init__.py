"""The `textgen` command, installed as the package `textgen.cli`.

Modules here import tensorflow, keras, numpy and rich inside their callbacks only, so
that `--help` and shell completion answer at once.
"""

"""A page about a model: how it learned, how good it is, what it writes, how to make it again.

from textgen.report import write_report

write_report("mine", "mine.html")
"""

from textgen.report.page import render, write_report
from textgen.report.run_history import read_history

__all__ = ["read_history", "render", "write_report"]

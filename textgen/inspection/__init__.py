"""What is in a corpus, and what to do about it before training.

from textgen.inspection import inspect

for finding in inspect(["corpus.txt"]).findings:
    print(finding.what, finding.advice)
"""

from textgen.inspection.finding import Finding
from textgen.inspection.inspect import Inspection, inspect

__all__ = ["Finding", "Inspection", "inspect"]

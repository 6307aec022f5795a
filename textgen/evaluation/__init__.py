"""How good a model is: measured on a text, compared, and set beside simple models.

from textgen.evaluation import evaluate

evaluation = evaluate(["mine", "yours"])
for comparison in evaluation.comparisons:
    print(comparison.verdict)
"""

from textgen.evaluation.baselines import Baseline
from textgen.evaluation.bootstrap import Bootstrap, Figure
from textgen.evaluation.characters import Alphabet
from textgen.evaluation.classify import Agreement, Classified, agreement, classify
from textgen.evaluation.comparison import Comparison
from textgen.evaluation.evaluate import Evaluation, evaluate
from textgen.evaluation.kneser_ney import KneserNey
from textgen.evaluation.measure import Measurement, measure
from textgen.evaluation.references import ReferenceScores, score_references
from textgen.evaluation.saved import SavedEvaluation, read_evaluations, save_evaluation
from textgen.evaluation.spelling import spell
from textgen.evaluation.texts import join_blocks
from textgen.evaluation.units import Units
from textgen.evaluation.windows import PROTOCOLS
from textgen.inference.own_run import own_run

__all__ = [
    "PROTOCOLS",
    "Agreement",
    "Alphabet",
    "Baseline",
    "Bootstrap",
    "Classified",
    "Comparison",
    "Evaluation",
    "Figure",
    "KneserNey",
    "Measurement",
    "ReferenceScores",
    "SavedEvaluation",
    "Units",
    "agreement",
    "classify",
    "evaluate",
    "join_blocks",
    "measure",
    "own_run",
    "read_evaluations",
    "save_evaluation",
    "score_references",
    "spell",
]

"""Answers are compared with references."""

import pytest

from textgen.evaluation.references import compare_answers, words


def test_the_same_answer_is_perfect_and_another_is_not():
    reference = ["the quick brown fox jumps", "over the lazy dog again"]
    perfect = compare_answers(reference, reference)
    assert {name: figure.value for name, figure in perfect.items()} == pytest.approx(
        {"BLEU": 100, "chrF": 100, "ROUGE-L": 100, "exact match": 1, "F1": 1}
    )
    other = compare_answers(["a slow red fox", "dog"], reference)
    assert all(other[name].value < perfect[name].value for name in perfect)


def test_sacrebleu_and_rouge_have_the_same_figures():
    import sacrebleu
    from rouge_score import rouge_scorer

    answers, references = (
        ["the cat sat on a mat", "it rains"],
        ["a cat sat on the mat", "it rains now"],
    )
    found = compare_answers(answers, references)
    assert found["chrF"].value == pytest.approx(sacrebleu.corpus_chrf(answers, [references]).score)
    scorer = rouge_scorer.RougeScorer(["rougeL"])
    rouge = [
        scorer.score(r, a)["rougeL"].fmeasure for a, r in zip(answers, references, strict=True)
    ]
    assert found["ROUGE-L"].value == pytest.approx(100 * sum(rouge) / 2)


def test_chinese_is_compared_by_characters():
    assert words("床前明月光，疑是。") == [*"床前明月光疑是"]
    assert compare_answers(["床前明月光"], ["床前明月影"])["F1"].value == pytest.approx(0.8)

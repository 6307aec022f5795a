"""Documents and blocks, and the intervals that are made from them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.evaluation import Bootstrap, Units
from textgen.evaluation.calibration import calibration_error


@given(st.lists(st.text(st.sampled_from("aé字😀"), min_size=1, max_size=50), min_size=1))
def test_every_character_and_byte_is_in_one_unit(documents):
    units = Units(documents)
    text = "".join(documents)
    assert units.characters.sum() == len(text)
    assert units.bytes.sum() == len(text.encode())
    assert (units.characters > 0).all()
    assert units.sum_characters(np.ones(len(text))).tolist() == units.characters.tolist()
    begins = units.of_tokens(np.ones(len(text), int))
    assert np.bincount(begins, minlength=len(units)).tolist() == units.characters.tolist()


def test_many_documents_are_units_and_few_are_cut_into_blocks():
    assert (Units(["ab"] * 40).kind, len(Units(["ab"] * 40))) == ("documents", 40)
    assert (Units(["ab" * 500] * 3).kind, len(Units(["ab" * 500] * 3))) == ("blocks", 20)
    assert len(Units(["ab"] * 5000)) == 1000


def test_one_character_has_a_figure_without_an_interval():
    figure = Units(["a"]).bootstrap.ratio(np.array([2.0]), np.array([1.0]))
    assert (figure.value, figure.low, figure.high) == (2.0, None, None)


def test_the_interval_is_about_two_standard_errors_on_each_side():
    values = np.random.default_rng(0).normal(5, 2, 400)
    figure = Bootstrap(400).ratio(values, np.ones(400))
    assert figure.value == pytest.approx(values.mean())
    assert figure.high - figure.low == pytest.approx(4 * 1.96 * 2 / 20 / 2, rel=0.15)


@given(st.integers(1, 200), st.integers(0, 9))
def test_a_model_that_is_right_as_often_as_it_says_has_no_error(count, tenths):
    is_right = np.arange(count * 10) % 10 < tenths
    unit = np.zeros(count * 10, int)
    for claimed in (tenths / 10 or 1e-9, 1.0):
        sure = np.log(np.full(count * 10, claimed))
        error = calibration_error(sure, is_right, unit, Bootstrap(1), 1).value
        assert error == pytest.approx(claimed - tenths / 10, abs=1e-6)

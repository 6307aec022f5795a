"""Values outside their range are replaced in their own row."""

import math

import numpy as np
import pytest

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("temperature", [0.7, 0, -1, NAN, INF, -INF, 1e-9], [0.7, 0, 0, 0, 3.4028235e38, 0, 1e-6]),
        ("top_k", [7, 0, -3], [7, 0, 0]),
        ("top_p", [0.5, -1, 2, NAN], [0.5, 0, 1, 1]),
        ("min_p", [0.5, -1, 2, NAN], [0.5, 0, 1, 0]),
        ("typical_p", [0.5, -1, 2, NAN], [0.5, 0, 1, 1]),
        ("repetition_penalty", [1.2, 0, -1, NAN, INF], [1.2, 1, 1, 1, 1e6]),
        ("presence_penalty", [0.5, -0.5, INF, -INF, NAN], [0.5, -0.5, 1e6, -1e6, 0]),
        ("frequency_penalty", [0.5, -0.5, INF, -INF, NAN], [0.5, -0.5, 1e6, -1e6, 0]),
        ("repeat_last_n", [0, 64, -1, -7], [0, 64, -1, -7]),
        ("no_repeat_ngram_size", [3, 0, -1], [3, 0, 0]),
        ("dry_multiplier", [0.8, -1, NAN, INF], [0.8, 0, 0, 1e6]),
        ("dry_base", [1.75, 0, NAN, INF], [1.75, 1, 1, 3.4028235e38]),
        ("dry_allowed_length", [2, -1, 2**31 - 1], [2, 0, 10**6]),
        ("xtc_probability", [0.5, -1, 2, NAN], [0.5, 0, 1, 0]),
        ("xtc_threshold", [0.1, -1, 0.9, NAN], [0.1, 0, 0.5, 0.5]),
        ("mirostat_tau", [3, 0, -1, NAN, INF], [3, 0, 0, 0, 128]),
        ("mirostat_eta", [0.1, -1, 2, NAN], [0.1, 0, 1, 0]),
        ("seed", [0, -5], [0, -5]),
    ],
)
def test_values_are_clamped(make_controls, name, values, expected):
    clamped = make_controls(*({name: value} for value in values)).clamped()
    np.testing.assert_allclose(getattr(clamped, name), expected, rtol=1e-6)
    assert all(np.isfinite(column).all() for column in clamped)


def test_what_cannot_be_clamped_turns_its_filter_off(make_controls):
    rows = [{"dry_multiplier": 1.0, "dry_base": base} for base in (1.0, 0.9, NAN)]
    assert make_controls(*rows).clamped().dry_multiplier.numpy().tolist() == [1, 0, 0]
    rows = [{"xtc_probability": 1.0, "xtc_threshold": value} for value in (0.5, 0.6, NAN)]
    assert make_controls(*rows).clamped().xtc_probability.numpy().tolist() == [1, 0, 0]

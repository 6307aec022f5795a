"""A seeded part of the examination by kills; `kills.py` is all of it."""

import pytest

from tests.examination.kills import examine


@pytest.mark.slow
def test_a_kill_at_any_moment_costs_nothing(tmp_path):
    results = examine(kills=1, seed=0, folder=tmp_path)
    assert [tried for _, tried, _ in results] == [1, 1]
    assert [complaint for *_, complaints in results for complaint in complaints] == []

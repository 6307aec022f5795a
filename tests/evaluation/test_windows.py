"""Windows score every token once, from at least half a context."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from textgen.evaluation.windows import adjacent, full_context, random_starts

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=5)


@given(LENGTHS, st.integers(1, 12), st.booleans())
def test_full_context_predicts_each_token_once_in_order(lengths, context, has_limit):
    texts = [np.arange(100 * i, 100 * i + n) for i, n in enumerate(lengths)]
    windows = full_context(texts, 999, context, has_limit)
    found = []
    for start, length, skip in zip(windows.starts, windows.lengths, windows.skips, strict=True):
        assert length - skip >= 1
        assert not has_limit or length <= context
        assert skip >= context // 2 - 1 or windows.tokens[start] == 999
        found += windows.tokens[start + 1 + skip : start + 1 + length].tolist()
    assert found == np.concatenate(texts).tolist()
    assert (windows.lengths - windows.skips).sum() == len(found)


@given(st.integers(2, 50), st.integers(1, 60))
def test_random_windows_stay_in_the_text(num_tokens, context):
    starts = random_starts(num_tokens, context, 20)
    windows = adjacent(np.arange(num_tokens), starts, context)
    assert (starts >= 0).all()
    assert (starts + windows.lengths < num_tokens).all()
    assert (windows.lengths >= 1).all()

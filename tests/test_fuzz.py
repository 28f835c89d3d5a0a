import sys
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
import fuzz

names = [st.sampled_from([*table]) for table in fuzz.TABLES]
calls = st.tuples(*names, st.integers(0, 2**32 - 1))


@given(st.sampled_from([*fuzz.CLASSIFIERS]), st.lists(calls, min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_every_call_is_right_or_a_usual_error(kind, sequence):
    start = ("fit", "normal", "integers", "uniform", 30, 0)
    fuzz.check_sequence(kind, [start, *sequence])


@given(st.integers(10**6, 2 * 10**6))
@settings(max_examples=200, deadline=None)
def test_likely_sequences(seed):
    fuzz.check_sequence(*fuzz.random_sequence(np.random.default_rng(seed)))

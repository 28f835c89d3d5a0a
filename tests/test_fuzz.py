import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
import fuzz
import fuzz_files

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


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind, n", [("models", 300), ("bits", 100), ("pictures", 60)])
def test_changed_files_are_refused_or_right(kind, n, tmp_path):
    with np.errstate(all="ignore"):
        outcomes = getattr(fuzz_files, kind)(n, tmp_path)
    assert sum(outcomes.values()) == n and outcomes["refused"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind, n", [("models", 5000), ("bits", 3000), ("pictures", 500)])
def test_many_changed_files_are_refused_or_right(kind, n, tmp_path):
    with np.errstate(all="ignore"):
        outcomes = getattr(fuzz_files, kind)(n, tmp_path, seed=1)
    assert sum(outcomes.values()) == n and outcomes["refused"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_cache_gives_right_rows_whatever_happens_to_its_folder():
    # torch itself hangs in a child that is forked after several threads of OpenMP have worked
    subprocess.run(
        [sys.executable, fuzz_files.__file__, "caches", "300"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        timeout=300,
    )

import numpy as np
import pytest

from benchmarks.studies.readout import CASES, draw, measure

Y = np.repeat(np.arange(5), 100)


@pytest.mark.parametrize("case", CASES)
def test_a_case_takes_rows_of_every_class_once(case):
    rows = draw(Y, case, np.random.default_rng(0))
    counts = sorted(np.bincount(Y[rows], minlength=5))
    assert len(set(rows.tolist())) == len(rows)
    if case.startswith("1:"):
        assert counts[0] == 100 // int(case[2:]) and counts[-1] == 100
    else:
        assert counts == [100 if case == "all" else int(case)] * 5
    assert (draw(Y, case, np.random.default_rng(0)) == rows).all()


def test_measures_of_classes_that_are_easy_to_tell():
    rng = np.random.default_rng(0)
    X = 9 * np.eye(5)[Y] + rng.standard_normal((500, 5))
    for accuracy, balanced, loss, calibration in measure(X[::2], Y[::2], X[1::2], Y[1::2]):
        assert accuracy == balanced == 100
        assert loss < 0.3 and calibration < 25

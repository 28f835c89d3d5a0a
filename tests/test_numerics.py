"""Hard Gram matrices: the right answer to a stated tolerance, or one clear error."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import LinAlgError

from layup_sklearn import ClassStatistics, LayUPClassifier
from layup_sklearn._ridge import RidgeFactor

SCORES_RTOL = 1e-4  # of the largest score, at any ridge that is accepted


def solve_in_long_double(X, Y, ridge):
    """Coefficients by Cholesky in 80-bit floats from the samples."""
    X, Y = X.astype(np.longdouble), Y.astype(np.longdouble)
    A, B = X.T @ X + np.longdouble(ridge) * np.eye(X.shape[1], dtype=np.longdouble), X.T @ Y
    d = len(A)
    L = np.zeros_like(A)
    for j in range(d):
        L[j, j] = np.sqrt(A[j, j] - L[j, :j] @ L[j, :j])
        L[j + 1 :, j] = (A[j + 1 :, j] - L[j + 1 :, :j] @ L[j, :j]) / L[j, j]
    for i in range(d):
        B[i] = (B[i] - L[i, :i] @ B[:i]) / L[i, i]
    for i in reversed(range(d)):
        B[i] = (B[i] - L[i + 1 :, i] @ B[i + 1 :]) / L[i, i]
    return B.T


def make_hard(kind):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 15))
    if kind == "wide":
        X = rng.standard_normal((10, 30))
    elif kind == "duplicated columns":
        X = np.hstack([X, X])
    elif kind == "duplicated samples":
        X = np.vstack([X[:8]] * 3)
    elif kind == "bad scales":
        X = X * np.logspace(-3, 4, 15)
    elif kind == "condition 1e16":
        U, _, V = np.linalg.svd(X, full_matrices=False)
        X = U * np.logspace(0, -8, 15) @ V
    elif kind == "constant":
        X = np.ones((40, 15))
    return X.astype(np.float32), np.arange(len(X)) % 8 % 3


KINDS = [
    "wide", "duplicated columns", "duplicated samples", "bad scales", "condition 1e16", "constant"
]  # fmt: skip


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("kind", KINDS)
def test_every_accepted_ridge_gives_the_right_scores(kind, scale):
    X, y = make_hard(kind)
    X = np.float32(scale) * X
    statistics = ClassStatistics.from_samples(X, y)
    Y = np.eye(3)[y]
    accepted = 0
    for exponent in range(-16, 4):
        ridge = np.trace(statistics.gram) * 10.0**exponent
        try:
            scores = X @ RidgeFactor(statistics, ridge).coef().T
        except LinAlgError as error:
            assert "use ridge >=" in str(error)
            continue
        accepted += 1
        expected = (X @ solve_in_long_double(X, Y, ridge).T).astype(float)
        assert_allclose(scores, expected, rtol=0, atol=SCORES_RTOL * np.abs(expected).max())
    assert accepted >= 14


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("kind", KINDS)
def test_the_choice_is_never_singular(kind, scale):
    X, y = make_hard(kind)
    X = np.float32(scale) * X
    classifier = LayUPClassifier(rule="ridge").fit(X, y)
    assert np.isfinite(classifier.log_evidence_)
    expected = (X @ solve_in_long_double(X, np.eye(3)[y], classifier.ridge_).T).astype(float)
    assert_allclose(
        classifier.decision_function(X), expected, rtol=0, atol=1e-7 * np.abs(expected).max()
    )
    assert_allclose(LayUPClassifier().fit(X, y).predict_proba(X).sum(axis=1), 1)


def test_one_sample_and_one_class():
    X, y = make_hard("wide")
    assert LayUPClassifier().fit(X[:1], y[:1]).predict(X).tolist() == [y[0]] * 10
    same = LayUPClassifier().fit(X, np.zeros(10))
    assert np.isfinite(same.coef_).all()
    assert (same.predict(X) == 0).all()


def test_single_precision_knows_what_its_rounding_hides():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((80, 400)).repeat(10, axis=0), (np.arange(80) % 4).repeat(10)
    held_out = rng.standard_normal((100, 400))
    single, double = (
        LayUPClassifier(dtype=dtype, rule="ridge").fit(X, y) for dtype in ("float32", "float64")
    )
    assert (single.predict(held_out) == double.predict(held_out)).mean() > 0.8
    with pytest.raises(LinAlgError, match="is too small") as refused:
        LayUPClassifier(ridge=1e-3, dtype="float32").fit(X, y).predict(X)
    safe = float(str(refused.value).split("ridge >= ")[1].split()[0])
    scores = [c.set_params(ridge=safe).decision_function(held_out) for c in (single, double)]
    assert_allclose(*scores, atol=0.05)


def test_a_row_that_outweighs_all_before_it_costs_no_digits():
    rng = np.random.default_rng(0)
    X, y = 1e-3 * rng.standard_normal((60, 5)), np.arange(60) % 3
    heavy = X[:2] + [1e3, 0, 0, 0, 0]  # the matrix of all rows is far from singular
    parameters = {"rule": "ridge", "ridge": 1e-6}
    classifier = LayUPClassifier(**parameters).fit(X, y)
    classifier.predict(X)
    classifier.partial_fit(heavy, y[:2])
    joint = LayUPClassifier(**parameters).fit(np.vstack([X, heavy]), np.hstack([y, y[:2]]))
    scale = np.array([1e3, 1e-3, 1e-3, 1e-3, 1e-3])
    assert_allclose(classifier.coef_ * scale, joint.coef_ * scale, rtol=1e-8, atol=1e-9)

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.linalg import LinAlgError, eigh, helmert
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from layup_sklearn import PAPER_RIDGES, ClassStatistics
from layup_sklearn._choice import choose_by_evidence
from layup_sklearn._ridge import RidgeFactor
from test_ridge import make_samples


def evidence_by_eigenvalues(X, y, ridges, prior_error=0.0):
    """Slow reference: the covariance of the samples' contrasts, diagonalised once."""
    Y = (y[:, np.newaxis] == np.unique(y)).astype(float)
    contrasts = helmert(len(y))
    values, vectors = eigh(contrasts @ X @ X.T @ contrasts.T)
    squares = ((vectors.T @ contrasts @ Y) ** 2).sum(axis=1)
    spectrum = 1 + np.maximum(values, 0) / np.asarray(ridges)[:, np.newaxis]
    quad = (squares / spectrum).sum(axis=1) + prior_error
    n_targets = Y.shape[1] - 1
    m = (len(y) - 1) * n_targets
    return -0.5 * (
        m * (np.log(2 * np.pi * quad / m) + 1) + n_targets * np.log(spectrum).sum(axis=1)
    )


def choose(X, y, n_features=None, **options):
    statistics = ClassStatistics.from_samples(X, y)
    return choose_by_evidence(statistics, n_features or [X.shape[1]], **options)


def tried(choice):
    return {ridge: score for _, ridge, score in choice.scores}


def is_on_the_grid(ridge):
    return np.isclose(2 * np.log10(ridge) % 1, [0, 1]).any()


@pytest.mark.parametrize("load", [load_digits, load_wine, load_iris, load_breast_cancer])
def test_search_finds_the_best_of_the_grid_in_few_factorisations(load):
    X, y = load(return_X_y=True)
    choice = choose(X, y)
    nearby = choice.ridge * 10.0 ** np.arange(-2, 2.1, 0.5)
    reference = evidence_by_eigenvalues(X, y, nearby, prior_error=0.01)
    assert nearby[reference.argmax()] == choice.ridge
    assert_allclose(tried(choice)[choice.ridge], reference.max(), rtol=1e-8)
    assert is_on_the_grid(choice.ridge)
    assert len(choice.scores) <= 7


@given(
    seed=st.integers(0, 999),
    n_samples=st.integers(6, 60),
    n_features=st.integers(1, 40),
    decades=st.integers(-4, 4),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore:The evidence is highest")
def test_search_ends_at_a_maximum_and_follows_the_scale(seed, n_samples, n_features, decades):
    X, y = make_samples(n_samples, n_features, seed=seed)
    choice = choose(X, y)
    scores = sorted(tried(choice).items())
    best = max(score for _, score in scores)
    assert tried(choice)[choice.ridge] == best
    assert all(is_on_the_grid(ridge) for ridge, _ in scores)
    assert len(scores) <= 9
    scaled = choose(10.0**decades * X, y)
    assert_allclose(scaled.ridge, 100.0**decades * choice.ridge, rtol=1e-9)


@pytest.mark.parametrize("size", [1e-6, 1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("n_columns", [1, 30])
def test_columns_of_another_scale_do_not_hide_the_maximum(size, n_columns):
    X, y = make_samples(200, 20)
    alone = choose(X, y)
    others = size * np.random.default_rng(1).standard_normal((200, n_columns))
    both = ClassStatistics.from_samples(np.hstack([X, others]), y)
    beside = choose_by_evidence(both, [20 + n_columns])
    factors = (RidgeFactor(both, ridge) for ridge in 10.0 ** np.arange(-3, 20, 0.5))
    best = max(factor.evidence().log_likelihood() for factor in factors)
    assert_allclose(tried(beside)[beside.ridge], best, atol=0.3)
    if n_columns == 1:
        assert 0.3 < beside.ridge / alone.ridge < 4


def test_a_column_of_seconds_since_1970_is_no_news():
    X, y = make_samples(200, 20)
    seconds = 1.7e9 + np.random.default_rng(0).integers(0, 30_000_000, (200, 1))
    alone, beside = choose(X, y), choose(np.hstack([X, seconds]), y)
    assert beside.ridge == alone.ridge


def test_search_chooses_the_number_of_columns_with_the_ridge():
    rng = np.random.default_rng(0)
    X, y = make_samples(200, 4)
    X = np.hstack([X, rng.standard_normal((200, 40))])  # 40 columns of noise
    choice = choose(X, y, [2, 4, 44])
    assert choice.n_features == 4
    curve = [score for d, _, score in choice.scores if d == 4]
    assert_allclose(max(curve), max(tried(choose(X[:, :4], y)).values()), atol=0.5)


def test_given_ridges_are_compared_by_evidence():
    X, y = make_samples()
    choice = choose(X, y, ridges=PAPER_RIDGES)
    expected = evidence_by_eigenvalues(X, y, PAPER_RIDGES, prior_error=0.01)
    assert choice.ridge == PAPER_RIDGES[np.argmax(expected)]
    assert_allclose([score for _, _, score in choice.scores], expected, rtol=1e-6)


def test_singular_candidates_lose_and_are_an_error_only_together():
    X, y = make_samples(4, 30)
    choice = choose(X, y, ridges=[1e-20, 1.0])
    assert choice.ridge == 1.0
    assert tried(choice)[1e-20] == -np.inf
    with pytest.raises(LinAlgError, match="use ridge >= "):
        choose(X, y, ridges=[1e-20, 1e-21])


def test_duplicates_among_few_samples_are_not_taken_for_labels_without_noise():
    X, y = make_samples(20, 50)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twice = choose(np.vstack([X, X]), np.hstack([y, y]))
    assert twice.ridge > 0.03 * 50 * X.var()  # not the edge of rounding
    prediction = (X @ twice.factor.coef().T).argmax(axis=1)
    assert (prediction == y).all()


def test_a_maximum_at_the_edge_is_reported():
    X = np.random.default_rng(0).standard_normal((60, 3))
    with pytest.warns(UserWarning, match="at the largest ridge .* little about the labels"):
        choose(X, np.arange(60) % 3)
    with pytest.warns(UserWarning, match="at the smallest ridge .* without error"):
        choose(np.eye(4)[np.arange(400) % 4], np.arange(400) % 4)


def test_few_labels_told_without_error_are_expected_of_more_features_than_samples():
    y = np.arange(40) % 2
    X = np.where(y, 1, -1)[:, None] + 1e-6 * make_samples(40, 50)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choose(X, y)
    with pytest.warns(UserWarning, match="at the smallest ridge"):
        choose(X[:, :10], y)


def test_with_one_sample_a_class_the_edge_is_expected():
    X, y = make_samples(5, n_classes=5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choose(X, y)


@pytest.mark.parametrize("X", [np.zeros((4, 2)), np.ones((4, 2)), np.ones((1, 3))], ids=str)
def test_features_that_do_not_vary_choose_some_ridge(X):
    choice = choose(X, np.arange(len(X)) % 2)
    assert np.isfinite(choice.ridge) and choice.ridge > 0

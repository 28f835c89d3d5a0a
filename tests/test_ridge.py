import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import LinAlgError, helmert, lstsq, solve
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal
from sklearn.datasets import load_digits
from sklearn.linear_model import BayesianRidge, Ridge

from layup_sklearn import ClassStatistics, LayUPClassifier
from layup_sklearn._ridge import PRIOR_ERROR, RidgeFactor


def make_samples(n_samples=30, n_features=5, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_samples) % n_classes)
    means = rng.standard_normal((n_classes, n_features))
    return means[y] + rng.standard_normal((n_samples, n_features)), y


def evidence(factor, n_features=None, **prior):
    return factor.evidence(n_features).log_likelihood(**prior)


def dense_noise_variance(X, y, ridge):
    """Squared error of one-hot columns less their own means, under V = I + X X' / ridge."""
    Y = (y[:, np.newaxis] == np.unique(y)).astype(float)
    V = np.linalg.inv(np.eye(len(X)) + X @ X.T / ridge)
    Y = Y - (V @ Y).sum(axis=0) / V.sum()
    return (np.trace(Y.T @ V @ Y) + PRIOR_ERROR) / ((Y.shape[0] - 1) * (Y.shape[1] - 1))


def test_coefficients_solve_the_system():
    X, y = make_samples()
    statistics = ClassStatistics.from_samples(X, y)
    for ridge in (0.0, 1e-3, 1.0, 1e3):
        expected = solve(X.T @ X + ridge * np.eye(5), X.T @ np.eye(3)[y]).T
        assert_allclose(RidgeFactor(statistics, ridge).coef(), expected, rtol=1e-9)


def test_coefficients_are_those_of_sklearn_ridge():
    X, y = make_samples()
    weight = np.random.default_rng(1).uniform(0.1, 2, len(y))
    reference = Ridge(alpha=0.7, fit_intercept=False).fit(X, np.eye(3)[y], sample_weight=weight)
    coef = RidgeFactor(ClassStatistics.from_samples(X, y, weight), 0.7).coef()
    assert_allclose(coef, reference.coef_, rtol=1e-9)


def test_limits_of_the_ridge():
    X, y = make_samples()
    statistics = ClassStatistics.from_samples(X, y)
    assert_allclose(RidgeFactor(statistics, 1e-12).coef(), lstsq(X, np.eye(3)[y])[0].T, rtol=1e-8)
    assert_allclose(1e12 * RidgeFactor(statistics, 1e12).coef(), statistics.class_sum, rtol=1e-9)


def test_leading_block_is_the_fit_on_leading_columns():
    X, y = make_samples()
    factor = RidgeFactor(ClassStatistics.from_samples(X, y), 0.3)
    first = RidgeFactor(ClassStatistics.from_samples(X[:, :2], y), 0.3)
    assert_allclose(factor.coef(2), first.coef())
    assert_allclose(evidence(factor, [2, 5]), [evidence(first), evidence(factor)])


def test_evidence_is_the_density_of_the_contrasts_of_the_labels():
    X, y = make_samples(12, 4)
    contrasts = helmert(12)
    Y = contrasts @ np.eye(3)[y] @ helmert(3).T  # of the samples, and of the classes
    for ridge in (0.01, 1.0, 100.0):
        covariance = contrasts @ (np.eye(12) + X @ X.T / ridge) @ contrasts.T
        variance = np.trace(Y.T @ solve(covariance, Y)) / Y.size
        expected = sum(
            multivariate_normal(np.zeros(11), variance * covariance).logpdf(column)
            for column in Y.T
        )
        factor = RidgeFactor(ClassStatistics.from_samples(X, y), ridge)
        assert_allclose(evidence(factor, prior_error=0.0), expected, rtol=1e-10)


def test_evidence_forgets_the_mean_of_many_samples_beside_a_constant_feature():
    # a constant column of any size changes nothing that the means do not already explain
    X, y = make_samples(40, 4)
    plain = evidence(RidgeFactor(ClassStatistics.from_samples(X, y), 0.5))
    X = np.hstack([X, np.full((40, 1), 3.0)])
    assert_allclose(evidence(RidgeFactor(ClassStatistics.from_samples(X, y), 0.5)), plain)


def test_evidence_counts_weights_as_repeated_rows():
    X, y = make_samples(12, 4)
    times = np.arange(12) % 3 + 1
    weighted = ClassStatistics.from_samples(X, y, times)
    repeated = ClassStatistics.from_samples(X.repeat(times, axis=0), y.repeat(times))
    assert_allclose(evidence(RidgeFactor(weighted, 0.5)), evidence(RidgeFactor(repeated, 0.5)))


def test_evidence_is_largest_at_the_fixed_point_of_bayesian_ridge():
    # BayesianRidge has one target: one class, whose one-hot column is all ones.
    rng = np.random.default_rng(0)
    X = 1 + 0.5 * rng.standard_normal((40, 6))
    reference = BayesianRidge(
        fit_intercept=False, alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0, max_iter=10000, tol=1e-12
    ).fit(X, np.ones(40))
    statistics = ClassStatistics.from_samples(X, np.zeros(40))
    ours = minimize_scalar(
        lambda t: -evidence(RidgeFactor(statistics, np.exp(t)), prior_error=0.0),
        bounds=(-5, 15),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert_allclose(np.exp(ours.x), reference.lambda_ / reference.alpha_, rtol=1e-4)


def test_noise_variance_is_where_the_evidence_is_largest():
    X, y = make_samples(40, 5, 4)
    factor = RidgeFactor(ClassStatistics.from_samples(X, y), 2.0)
    noise, m = factor.evidence().noise_variance(), 39 * 3
    at_noise = evidence(factor)
    assert_allclose(noise, dense_noise_variance(X, y, 2.0))
    assert_allclose(factor.evidence().noise_variance(prior_error=0.0), noise - PRIOR_ERROR / m)
    # The squared error stands in the likelihood as -quad / (2 s^2).
    for times in (0.9, 1.1):
        other = at_noise - 0.5 * m * (np.log(times) + 1 / times - 1)
        assert other < at_noise
    leading = RidgeFactor(ClassStatistics.from_samples(X[:, :2], y), 2.0)
    expected = [leading.evidence().noise_variance(), noise]
    assert_allclose(factor.evidence([2, 5]).noise_variance(), expected)


def test_whitened_inner_products_are_those_of_the_inverse():
    X, y = make_samples(30)
    factor = RidgeFactor(ClassStatistics.from_samples(X, y), 3.0)
    expected = X @ np.linalg.inv(X.T @ X + 3.0 * np.eye(5)) @ X.T
    assert_allclose(factor.whiten(X) @ factor.whiten(X).T, expected, rtol=1e-9, atol=1e-12)
    assert_allclose(factor.leverage(X), expected.diagonal())


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_too_small_a_ridge_names_one_that_works(scale):
    X, y = make_samples(4, 30)
    statistics = ClassStatistics.from_samples(scale * X, y)
    with pytest.raises(LinAlgError, match="use ridge >= ") as caught:
        RidgeFactor(statistics, 1e-20)
    named = float(str(caught.value).split(">= ")[1].split()[0])
    assert np.isfinite(RidgeFactor(statistics, named).coef()).all()


def test_weights_that_add_up_to_less_than_one_sample_have_an_evidence():
    statistics = ClassStatistics.from_samples([[1.0], [2.0]], [0, 1], [0.3, 0.3])
    factor = RidgeFactor(statistics, 1.0)
    assert np.isfinite(evidence(factor))


@pytest.mark.parametrize("ridges", [{"ridge": 0.1}, {"ridges": [0.01, 0.1]}])
def test_a_ridge_too_small_for_single_precision_is_an_error_of_the_first_call(ridges):
    X, y = load_digits(return_X_y=True)
    twice = np.hstack([X, X])[:900]
    assert LayUPClassifier(**ridges).fit(twice, y[:900]).score(twice, y[:900]) > 0.9
    classifier = LayUPClassifier(dtype="float32", **ridges)
    for call in (classifier.fit, classifier.partial_fit):
        with pytest.raises(LinAlgError, match="ridge=0.1 is too small"):
            call(twice, y[:900])
        assert not hasattr(classifier, "classes_")

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import LinAlgError, eigh, helmert, lstsq, solve
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import BayesianRidge, Ridge

from layup_sklearn import PAPER_RIDGES, ClassStatistics
from layup_sklearn._ridge import RidgeFactor, choose_by_evidence, choose_by_folds, solve_ridge


def make_samples(n_samples=30, n_features=5, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_samples) % n_classes)
    means = rng.standard_normal((n_classes, n_features))
    return means[y] + rng.standard_normal((n_samples, n_features)), y


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


def test_coefficients_solve_the_system():
    X, y = make_samples()
    statistics = ClassStatistics.from_samples(X, y)
    for ridge in (0.0, 1e-3, 1.0, 1e3):
        expected = solve(X.T @ X + ridge * np.eye(5), X.T @ np.eye(3)[y]).T
        assert_allclose(solve_ridge(statistics, ridge), expected, rtol=1e-9)


def test_coefficients_are_those_of_sklearn_ridge():
    X, y = make_samples()
    weight = np.random.default_rng(1).uniform(0.1, 2, len(y))
    reference = Ridge(alpha=0.7, fit_intercept=False).fit(X, np.eye(3)[y], sample_weight=weight)
    coef = solve_ridge(ClassStatistics.from_samples(X, y, weight), 0.7)
    assert_allclose(coef, reference.coef_, rtol=1e-9)


def test_limits_of_the_ridge():
    X, y = make_samples()
    statistics = ClassStatistics.from_samples(X, y)
    assert_allclose(solve_ridge(statistics, 1e-12), lstsq(X, np.eye(3)[y])[0].T, rtol=1e-8)
    assert_allclose(1e12 * solve_ridge(statistics, 1e12), statistics.class_sum, rtol=1e-9)


def test_leading_block_is_the_fit_on_leading_columns():
    X, y = make_samples()
    factor = RidgeFactor(ClassStatistics.from_samples(X, y), 0.3)
    first = RidgeFactor(ClassStatistics.from_samples(X[:, :2], y), 0.3)
    assert_allclose(factor.coef(2), first.coef())
    assert_allclose(factor.log_evidence([2, 5]), [first.log_evidence(), factor.log_evidence()])


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
        assert_allclose(factor.log_evidence(prior_error=0.0), expected, rtol=1e-10)


def test_evidence_forgets_the_mean_of_many_samples_beside_a_constant_feature():
    # a constant column of any size changes nothing that the means do not already explain
    X, y = make_samples(40, 4)
    plain = RidgeFactor(ClassStatistics.from_samples(X, y), 0.5).log_evidence()
    X = np.hstack([X, np.full((40, 1), 3.0)])
    assert_allclose(RidgeFactor(ClassStatistics.from_samples(X, y), 0.5).log_evidence(), plain)


def test_evidence_counts_weights_as_repeated_rows():
    X, y = make_samples(12, 4)
    times = np.arange(12) % 3 + 1
    weighted = ClassStatistics.from_samples(X, y, times)
    repeated = ClassStatistics.from_samples(X.repeat(times, axis=0), y.repeat(times))
    assert_allclose(
        RidgeFactor(weighted, 0.5).log_evidence(), RidgeFactor(repeated, 0.5).log_evidence()
    )


def test_evidence_is_largest_at_the_fixed_point_of_bayesian_ridge():
    # BayesianRidge has one target: one class, whose one-hot column is all ones.
    rng = np.random.default_rng(0)
    X = 1 + 0.5 * rng.standard_normal((40, 6))
    reference = BayesianRidge(
        fit_intercept=False, alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0, max_iter=10000, tol=1e-12
    ).fit(X, np.ones(40))
    statistics = ClassStatistics.from_samples(X, np.zeros(40))
    ours = minimize_scalar(
        lambda t: -RidgeFactor(statistics, np.exp(t)).log_evidence(prior_error=0.0),
        bounds=(-5, 15),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert_allclose(np.exp(ours.x), reference.lambda_ / reference.alpha_, rtol=1e-4)


@pytest.mark.parametrize("load", [load_digits, load_wine, load_iris, load_breast_cancer])
def test_search_finds_the_maximum_in_few_factorisations(load):
    X, y = load(return_X_y=True)
    statistics = ClassStatistics.from_samples(X, y)
    choice = choose_by_evidence(statistics, [X.shape[1]])
    nearby = choice.ridge * np.logspace(-2, 2, 401)
    reference = evidence_by_eigenvalues(X, y, nearby)
    assert choice.factor.log_evidence(prior_error=0.0) > reference.max() - 0.1
    assert len(choice.scores) <= 11


def test_search_follows_the_scale_of_the_features():
    X, y = make_samples()
    one = choose_by_evidence(ClassStatistics.from_samples(X, y), [5])
    big = choose_by_evidence(ClassStatistics.from_samples(1000 * X, y), [5])
    assert_allclose(big.ridge, 1e6 * one.ridge, rtol=1e-6)


def test_search_chooses_the_number_of_columns_with_the_ridge():
    rng = np.random.default_rng(0)
    X, y = make_samples(200, 4)
    X = np.hstack([X, rng.standard_normal((200, 40))])  # 40 columns of noise behind
    statistics = ClassStatistics.from_samples(X, y)
    choice = choose_by_evidence(statistics, [2, 4, 44])
    assert choice.n_features == 4
    alone = choose_by_evidence(statistics, [4])
    assert_allclose(choice.factor.log_evidence(4), alone.factor.log_evidence(), atol=0.5)


def test_given_ridges_are_compared_by_evidence():
    X, y = make_samples()
    statistics = ClassStatistics.from_samples(X, y)
    choice = choose_by_evidence(statistics, [5], ridges=PAPER_RIDGES)
    expected = evidence_by_eigenvalues(X, y, PAPER_RIDGES, prior_error=0.01)
    assert choice.ridge == PAPER_RIDGES[np.argmax(expected)]
    assert_allclose([score for _, _, score in choice.scores], expected, rtol=1e-6)


def test_fewer_samples_than_features_and_duplicates():
    X, y = make_samples(20, 50)
    statistics = ClassStatistics.from_samples(np.vstack([X, X]), np.hstack([y, y]))
    choice = choose_by_evidence(statistics, [50])
    assert choice.ridge > 1e-6 * np.trace(statistics.gram)  # not the edge of rounding
    prediction = (X @ choice.factor.coef().T).argmax(axis=1)
    assert (prediction == y).all()


def test_a_maximum_at_the_edge_is_reported():
    rng = np.random.default_rng(0)
    noise = ClassStatistics.from_samples(rng.standard_normal((400, 3)), np.arange(400) % 2)
    balanced = noise - noise + ClassStatistics.from_samples(np.eye(3).repeat(2, axis=0), [0, 1] * 3)
    with pytest.warns(UserWarning, match="at the largest ridge .* little about the labels"):
        choose_by_evidence(balanced, [3])


def test_all_zero_features_choose_some_ridge():
    choice = choose_by_evidence(ClassStatistics.from_samples(np.zeros((4, 2)), [0, 1, 0, 1]), [2])
    assert np.isfinite(choice.ridge) and choice.ridge > 0


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_too_small_a_ridge_names_one_that_works(scale):
    X, y = make_samples(4, 30)
    statistics = ClassStatistics.from_samples(scale * X, y)
    with pytest.raises(LinAlgError, match="use ridge >= ") as caught:
        solve_ridge(statistics, 1e-20)
    named = float(str(caught.value).split(">= ")[1].split()[0])
    assert np.isfinite(solve_ridge(statistics, named)).all()
    choice = choose_by_evidence(statistics, [30], ridges=[1e-20, 10 * named])
    assert choice.ridge == 10 * named
    assert choice.scores[0][2] == -np.inf
    with pytest.raises(LinAlgError, match="use ridge >= "):
        choose_by_evidence(statistics, [30], ridges=[1e-20, 1e-21])


def test_folds_are_the_brute_force_loop():
    X, y = make_samples(40, 6, 4, seed=3)
    old_X, old_y = make_samples(30, 6, 4, seed=4)
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.5, 2, 40)
    splits = [(np.delete(np.arange(40), part), part) for part in np.split(np.arange(40), 4)]
    choice = choose_by_folds(
        ClassStatistics.from_samples(old_X, old_y), X, y, weight, splits, [3, 6], PAPER_RIDGES
    )
    expected = []
    for d in (3, 6):
        for ridge in PAPER_RIDGES:
            accuracies = []
            for train, test in splits:
                A = np.vstack([old_X, X[train]])[:, :d]
                w = np.hstack([np.ones(30), weight[train]])[:, np.newaxis]
                Y = np.eye(4)[np.hstack([old_y, y[train]])]
                W = np.linalg.solve(A.T @ (w * A) + ridge * np.eye(d), A.T @ (w * Y))
                correct = (X[test][:, :d] @ W).argmax(axis=1) == y[test]
                accuracies.append(np.average(correct, weights=weight[test]))
            expected.append((d, ridge, np.mean(accuracies)))
    assert_allclose(choice.scores, expected)
    best = max(expected, key=lambda candidate: candidate[2])
    assert (choice.n_features, choice.ridge) == best[:2]


def test_single_samples_are_no_news_about_the_features():
    X, y = make_samples(5, n_classes=5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choose_by_evidence(ClassStatistics.from_samples(X, y), [5])
    noise = np.random.default_rng(0).standard_normal((60, 3))
    with pytest.warns(UserWarning, match="highest at the largest ridge"):
        choose_by_evidence(ClassStatistics.from_samples(noise, np.arange(60) % 3), [3])


def test_weights_that_add_up_to_less_than_one_sample_have_an_evidence():
    statistics = ClassStatistics.from_samples([[1.0], [2.0]], [0, 1], [0.3, 0.3])
    factor = RidgeFactor(statistics, 1.0)
    assert np.isfinite(factor.log_evidence())

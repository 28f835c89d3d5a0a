import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import LinAlgError
from sklearn.model_selection import StratifiedKFold

from layup_sklearn import PAPER_RIDGES, ClassStatistics, Layers, LayUPClassifier
from layup_sklearn._folds import choose_by_folds
from test_ridge import make_samples


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


def choose(X, y, n_features=None, ridges=None):
    splits = [(np.delete(np.arange(40), part), part) for part in np.split(np.arange(40), 4)]
    empty = ClassStatistics.zeros(np.unique(y), X.shape[1])
    return choose_by_folds(empty, X, y, np.ones(40), splits, n_features or [X.shape[1]], ridges)


def test_default_candidates_lie_around_the_scale_of_the_features():
    X, y = make_samples(40, 6, 4)
    ridges = np.array([ridge for _, ridge, _ in choose(X, y).scores])
    assert_allclose(np.diff(np.log10(ridges)), -0.5)
    scale = 6 * np.median(X.var(axis=0))
    assert_allclose(np.log10(ridges[[0, -1]] / scale), [2, -8], atol=0.26)
    beside = np.hstack([X, 1e6 * np.random.default_rng(0).standard_normal((40, 1))])
    assert set(ridges) < {ridge for _, ridge, _ in choose(beside, y).scores}


def test_earlier_sums_count_for_the_default_candidates():
    X, y = make_samples(40, 6, 4)
    splits = [(np.arange(20), np.arange(20, 40))]
    old = ClassStatistics.from_samples(1000 * X, y)
    choice = choose_by_folds(old, X, y, np.ones(40), splits, [6])
    scale = 6 * np.median(np.vstack([X, 1000 * X]).var(axis=0))
    assert_allclose(np.log10(choice.scores[0][1] / scale), 2, atol=0.26)


def test_a_singular_candidate_loses_and_does_not_end_the_choice():
    X, y = make_samples(40, 60, 4)
    choice = choose(X, y, ridges=[1e-25, 1.0])
    assert choice.ridge == 1.0
    assert [score for _, _, score in choice.scores][0] == -np.inf
    with pytest.raises(LinAlgError, match="use ridge >= "):
        choose(X, y, ridges=[1e-25])


def test_every_call_chooses_anew():
    X, y = make_samples(80, 6, 4, seed=5)
    noise = np.random.default_rng(0).standard_normal((40, 6))
    batches = [(X[:40], y[:40]), (noise, y[40:])]
    classifier = LayUPClassifier(rule="ridge", ridges=PAPER_RIDGES, cv=4)
    statistics, chosen = ClassStatistics.zeros(np.unique(y), 6), []
    for X_new, y_new in batches:
        classifier.partial_fit(X_new, y_new)
        splits = StratifiedKFold(4).split(X_new, y_new)
        choice = choose_by_folds(statistics, X_new, y_new, np.ones(40), splits, [6], PAPER_RIDGES)
        assert classifier.ridge_ == choice.ridge
        statistics = statistics.add_samples(X_new, y_new)
        chosen.append(choice.ridge)
    assert chosen[0] != chosen[1]


def test_other_layers_than_those_of_the_folds_keep_their_ridge():
    X, y = make_samples(80, 6, 4)
    classifier = LayUPClassifier(Layers([2, 4]), cv=4, ridges=[1e-3, 30.0]).fit(X, y)
    ridge = classifier.ridge_
    fixed = LayUPClassifier(Layers([2, 4]), n_layers=1, ridge=ridge).fit(X, y)
    classifier.set_params(n_layers=1)
    assert (classifier.ridge_, classifier.n_layers_) == (ridge, 1)
    assert_allclose(classifier.coef_, fixed.coef_)

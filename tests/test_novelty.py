import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from _helpers import Layers, make_samples
from layup_sklearn import ClassStatistics, LayUPClassifier
from layup_sklearn._ridge import RidgeFactor


def dense_score(statistics, ridge, X):
    """The formula of the docstring, with an inverse."""
    A = np.linalg.inv(statistics.gram + ridge * np.eye(statistics.n_features))
    C = statistics.class_sum[statistics.class_count > 0]
    norms = np.sqrt(np.outer(np.diag(X @ A @ X.T), np.diag(C @ A @ C.T)))
    return (X @ A @ C.T / norms).max(axis=1)


@pytest.mark.parametrize("labels", [(4,), (0, 1), ("a", "b", "c")], ids=str)
def test_is_the_formula(labels):
    X, y = make_samples(30, labels=labels)
    classifier = LayUPClassifier(ridge=2.0).fit(X, y)
    new = np.random.default_rng(1).standard_normal((20, 5))
    expected = dense_score(classifier.statistics_, 2.0, new)
    assert_allclose(classifier.score_samples(new), expected, rtol=1e-9)


def test_is_the_score_in_units_of_its_standard_error_up_to_a_constant_of_each_class():
    X, y = make_samples()
    classifier = LayUPClassifier(ridge=2.0, rule="ridge").fit(X, y)
    factor = RidgeFactor(classifier.statistics_, 2.0)
    error = np.linalg.norm(factor.whiten(X), axis=1)
    ratios = classifier.decision_function(X) / error[:, np.newaxis]
    assert_allclose(
        classifier.score_samples(X), (ratios / np.linalg.norm(factor.forward, axis=0)).max(axis=1)
    )


@given(seed=st.integers(0, 999), scale=st.floats(1e-3, 1e3), times=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_invariances(seed, scale, times):
    X, y = make_samples(seed=seed)
    scores = LayUPClassifier(ridge=2.0).fit(X, y).score_samples(X)
    assert (np.abs(scores) <= 1 + 1e-12).all()
    # length of the sample; unit of the features; every row several times; rotation
    assert_allclose(LayUPClassifier(ridge=2.0).fit(X, y).score_samples(scale * X), scores)
    scaled = LayUPClassifier(ridge=2.0 * scale**2).fit(scale * X, y)
    assert_allclose(scaled.score_samples(scale * X), scores)
    repeated = LayUPClassifier(ridge=2.0 * times).fit(X, y, sample_weight=np.full(40, times))
    assert_allclose(repeated.score_samples(X), scores)
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((5, 5)))[0]
    rotated = LayUPClassifier(ridge=2.0).fit(X @ rotation, y)
    assert_allclose(rotated.score_samples(X @ rotation), scores)


def test_limits():
    X = 3 * np.eye(6)[[0, 0, 1, 1, 2, 2]]
    classifier = LayUPClassifier(ridge=1.0).fit(X, [0, 0, 1, 1, 2, 2])
    # in the direction of a class mean, between two, where nothing was, against one, nowhere
    rows = np.array([[5, 0, 0], [1, 1, 0], [0, 0, 0], [-1, 0, 0], [0, 0, 0]]) @ np.eye(3, 6)
    rows[2, 4] = 1.0
    expected = [1, np.sqrt(0.5), 0, 0, 0]
    assert_allclose(classifier.score_samples(rows), expected, atol=1e-15)
    one = LayUPClassifier(ridge=1.0).fit(X[:1], [7])
    assert_allclose(one.score_samples([[2.0, 0, 0, 0, 0, 0], [-2.0, 0, 0, 0, 0, 0]]), [1, -1])


def test_a_class_is_new_until_it_is_learned():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 20)
    X = 4 * np.eye(6)[y] + 0.5 * rng.standard_normal((60, 6))
    classifier = LayUPClassifier(ridge=1.0).fit(X[y < 2], y[y < 2])
    before = classifier.score_samples(X)
    assert before[y == 2].max() < before[y < 2].min()
    classifier.partial_fit(X[y == 2], y[y == 2])
    after = classifier.score_samples(X)
    assert (after[y == 2] > before[y == 2]).all()
    assert_allclose(after, dense_score(classifier.statistics_, 1.0, X), rtol=1e-9)


def test_any_cut_and_declared_classes_change_nothing():
    X, y = make_samples()
    joint = LayUPClassifier(ridge=2.0).fit(X, y).score_samples(X)
    stream = LayUPClassifier(ridge=2.0).partial_fit(X[:7], y[:7], classes=[-3, 9])
    stream.score_samples(X)
    stream.partial_fit(X[7:], y[7:])
    assert_allclose(stream.score_samples(X), joint, rtol=1e-9)


def test_follows_the_parameters_and_the_layers():
    X, y = make_samples()
    classifier = LayUPClassifier(Layers((2, 3)), ridge=1.0).fit(X, y)
    classifier.score_samples(X)
    classifier.set_params(n_layers=1, ridge=5.0)
    expected = LayUPClassifier(ridge=5.0).fit(X[:, :2], y).score_samples(X[:, :2])
    assert_allclose(classifier.score_samples(X), expected)
    classifier.set_params(ridge="auto")
    expected = dense_score(ClassStatistics.from_samples(X[:, :2], y), classifier.ridge_, X[:, :2])
    assert_allclose(classifier.score_samples(X), expected, rtol=1e-9)


def test_single_precision():
    X, y = make_samples()
    single = LayUPClassifier(ridge=1.0, dtype="float32").fit(X.astype(np.float32), y)
    double = LayUPClassifier(ridge=1.0).fit(X, y).score_samples(X)
    assert_allclose(single.score_samples(X.astype(np.float32)), double, atol=1e-5)


def test_not_fitted_and_wrong_width():
    with pytest.raises(NotFittedError):
        LayUPClassifier().score_samples([[0.0]])
    X, y = make_samples()
    with pytest.raises(ValueError, match="X has 2 features, but .* is expecting 5"):
        LayUPClassifier().fit(X, y).score_samples(X[:, :2])

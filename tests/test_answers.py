"""Answers beside one label: several of them, none, and what was learned."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from _helpers import LABELS, Layers, make_samples
from layup_sklearn import ImageEncoder, LayUPClassifier

RULES = pytest.mark.parametrize("rule", ["gaussian", "ridge"])


@RULES
@pytest.mark.parametrize("kind", LABELS)
def test_top_k_of_all_classes_are_the_probabilities_sorted(rule, kind):
    X, y = make_samples(labels=LABELS[kind])
    classifier = LayUPClassifier(ridge=1.0, rule=rule).fit(X, y)
    labels, probabilities = classifier.predict_top_k(X, k=4)
    assert_array_equal(labels[:, 0], classifier.predict(X))
    assert_array_equal(np.sort(labels, axis=1), np.tile(np.unique(y), (len(X), 1)))
    assert (np.diff(probabilities, axis=1) <= 0).all()
    all_of_them = classifier.predict_proba(X)
    column = np.searchsorted(classifier.classes_, labels)
    assert_array_equal(probabilities, np.take_along_axis(all_of_them, column, axis=1))
    for k in (1, 2, 3):
        fewer = classifier.predict_top_k(X, k)
        assert_array_equal(fewer[0], labels[:, :k])
        assert_array_equal(fewer[1], probabilities[:, :k])


@RULES
def test_top_k_never_names_a_class_without_samples(rule):
    X, y = make_samples(labels=(1, 3))
    classifier = LayUPClassifier(ridge=1.0, rule=rule).partial_fit(X, y, classes=[0, 1, 2, 3])
    labels, probabilities = classifier.predict_top_k(X)
    assert labels.shape == probabilities.shape == (40, 2)
    assert_array_equal(np.unique(labels), [1, 3])


@RULES
def test_equal_classes_come_in_the_order_of_classes(rule):
    X = np.tile(np.eye(3), (3, 1))
    y = np.repeat(["c", "a", "b"], 3)  # each class has the same three rows
    labels, probabilities = LayUPClassifier(ridge=1.0, rule=rule).fit(X, y).predict_top_k(X)
    assert_array_equal(labels, np.tile(["a", "b", "c"], (9, 1)))
    assert np.ptp(probabilities) < 1e-9


def test_top_k_orders_where_probabilities_are_all_zero():
    X, y = make_samples()
    classifier = LayUPClassifier(ridge=1e-3).fit(1e4 * X, y)
    far = 1e12 * np.eye(5)
    labels, probabilities = classifier.predict_top_k(far)
    assert (probabilities[:, 1:] == 0).all()
    by_score = (-classifier.decision_function(far)).argsort(axis=1, kind="stable")
    assert_array_equal(labels, classifier.classes_[by_score])


@given(
    seed=st.integers(0, 99),
    min_probability=st.floats(0, 1),
    min_similarity=st.floats(-1, 1),
    rule=st.sampled_from(["gaussian", "ridge"]),
)
@settings(max_examples=40, deadline=None)
def test_refused_are_those_below_a_threshold(seed, min_probability, min_similarity, rule):
    X, y = make_samples(seed=seed)
    classifier = LayUPClassifier(ridge=1.0, rule=rule).fit(X[:30], y[:30])
    labels, accepted = classifier.predict_or_refuse(
        X, min_probability=min_probability, min_similarity=min_similarity
    )
    assert_array_equal(labels, classifier.predict(X))
    sure = classifier.predict_proba(X).max(axis=1) >= min_probability
    assert_array_equal(accepted, sure & (classifier.score_samples(X) >= min_similarity))
    assert classifier.predict_or_refuse(X)[1].all()


def test_samples_are_encoded_once_for_both_questions():
    X, y = make_samples()
    classifier = LayUPClassifier(Layers((2, 3)), ridge=1.0).fit(X, y)
    before = classifier.encoder_.n_calls_
    classifier.predict_or_refuse(X, min_probability=0.5, min_similarity=0.1)
    assert classifier.encoder_.n_calls_ == before + 1


@given(seed=st.integers(0, 99), n_pending=st.integers(0, 20), weighted=st.booleans())
@settings(max_examples=30, deadline=None)
def test_summary_counts_samples_that_wait_too(seed, n_pending, weighted):
    X, y = make_samples(seed=seed)
    weight = np.random.default_rng(seed).integers(1, 4, 40) if weighted else np.ones(40)
    first, rest = slice(0, 40 - n_pending), slice(40 - n_pending, None)
    classifier = LayUPClassifier().fit(X[first], y[first], weight[first])
    if n_pending:
        classifier.partial_fit(X[rest], y[rest], [9], weight[rest])
    summary = classifier.summary()
    expected = {label: float(weight[y == label].sum()) for label in np.unique(y)}
    assert summary["class_count"] == (expected | {9: 0.0} if n_pending else expected)
    assert summary["n_samples_seen"] == classifier.n_samples_seen_ == weight.sum()
    assert_array_equal(classifier.class_count_, classifier.statistics_.class_count)
    assert summary["encoder"] is None and summary["layer_sizes"] == [5]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_summary_says_the_size_of_the_sums(dtype):
    X, y = make_samples(n_features=50)
    statistics = (classifier := LayUPClassifier(dtype=dtype).fit(X, y)).statistics_
    size = sum(getattr(statistics, name).nbytes for name in ("gram", "class_sum", "class_count"))
    assert classifier.summary()["nbytes"] == size + statistics.classes.nbytes
    row = classifier.partial_fit(X[:1], y[:1]).summary()["nbytes"] - size
    assert 50 * statistics.gram.itemsize <= row < 60 * statistics.gram.itemsize + 100


def test_summary_solves_nothing():
    X, y = make_samples(10, 30)
    classifier = LayUPClassifier(ridge=1.0).fit(X, y).set_params(ridge=0.0)  # singular
    assert classifier.summary()["ridge"] is classifier.summary()["n_layers"] is None
    assert classifier.class_count_.sum() == 10
    classifier.set_params(ridge=2.0).predict(X)
    assert classifier.summary()["ridge"] == 2.0 and classifier.summary()["n_layers"] == 1


def test_summary_names_the_encoder_without_loading_it():
    pytest.importorskip("torch")
    pixels = np.zeros((2, 32, 32, 3), np.uint8)
    encoder = ImageEncoder("test_vit", pretrained=False, image_size=32, n_layers=2, device="cpu")
    classifier = LayUPClassifier(encoder).fit(pixels, ["a", "b"])
    classifier.encoder_.set_params(model="no_such_network")
    assert classifier.summary()["encoder"] == "ImageEncoder no_such_network"
    assert classifier.summary()["layer_sizes"] == [64, 64]
    assert "n_samples_seen_" in classifier._repr_html_()

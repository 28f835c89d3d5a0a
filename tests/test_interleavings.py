"""After any sequence of calls, the model is that of one joint fit of the samples that stand."""

import copy
import pickle
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from layup_sklearn import LayUPClassifier

N_FEATURES = 6
READERS = {
    "predict": lambda c, X: c.predict(X),
    "predict_proba": lambda c, X: c.predict_proba(X),
    "score_samples": lambda c, X: c.score_samples(X),
    "ridge": lambda c, X: c.ridge_,
    "statistics": lambda c, X: c.statistics_,
}
COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda c: pickle.loads(pickle.dumps(c)),
    "save": lambda c: saved_and_loaded(c),
}
PARAMETERS = [
    {"ridge": "auto", "ridges": None, "rule": "ridge", "priors": None},
    {"ridge": "auto", "ridges": [0.5, 5.0, 50.0]},
    {"ridge": 3.0, "rule": "ridge", "priors": None},
    {"ridge": 0.02},
    {"ridge": 1.0, "rule": "gaussian"},
    {"ridge": "auto", "ridges": None, "rule": "gaussian", "priors": "uniform"},
]


def saved_and_loaded(classifier):
    with tempfile.TemporaryDirectory() as folder:
        classifier.save(Path(folder) / "model")
        return LayUPClassifier.load(Path(folder) / "model")


sizes = st.sampled_from([1, 1, 1, 2, 5, 40, 130, 300])
labels = st.lists(st.integers(0, 5), min_size=1, max_size=4)
learn = st.tuples(st.just("learn"), sizes, labels, st.booleans())
CALL = st.one_of(
    learn,
    learn,
    learn,
    st.tuples(st.just("merge"), sizes, labels, st.booleans()),
    st.tuples(st.just("forget"), st.integers(0, 99)),
    st.tuples(st.just("declare"), st.integers(6, 9)),
    st.tuples(st.just("rename"), st.dictionaries(st.integers(0, 9), st.integers(0, 9), max_size=3)),
    st.tuples(st.just("read"), st.sampled_from([*READERS])),
    st.tuples(st.just("read"), st.sampled_from([*READERS])),
    st.tuples(st.just("become"), st.sampled_from([*COPIES])),
    st.tuples(st.just("set"), st.sampled_from(PARAMETERS)),
)


class Stream:
    """A classifier, and the batches that it should stand for."""

    def __init__(self, seed, parameters):
        self.rng = np.random.default_rng(seed)
        self.means = self.rng.standard_normal((10, N_FEATURES))
        self.classifier, self.batches = LayUPClassifier(**parameters), []
        self.learn(30, [0, 1, 2], False)

    def draw(self, n, labels, weighted):
        y = self.rng.choice(labels, n)
        X = self.means[y] + self.rng.standard_normal((n, N_FEATURES))
        return X, y, self.rng.uniform(0.2, 2, n) if weighted else np.ones(n)

    def learn(self, *what):
        X, y, weight = batch = self.draw(*what)
        self.classifier.partial_fit(X, y, sample_weight=weight)
        self.batches.append(batch)

    def merge(self, *what):
        X, y, weight = batch = self.draw(*what)
        self.classifier.merge(LayUPClassifier().fit(X, y, weight))
        self.batches.append(batch)

    def forget(self, which):
        if len(self.batches) > 1:
            self.classifier.forget(*self.batches.pop(which % len(self.batches)))

    def declare(self, label):
        X, y, _ = batch = self.draw(1, [0], False)
        self.classifier.partial_fit(X, y, classes=[label])
        self.batches.append(batch)

    def rename(self, names):
        names = {label: names[label] for label in self.classifier.classes_ if label in names}
        self.classifier.rename_classes(names)
        for i, (X, y, weight) in enumerate(self.batches):
            self.batches[i] = X, np.array([names.get(label, label) for label in y]), weight

    def read(self, what):
        READERS[what](self.classifier, self.means)

    def become(self, how):
        self.classifier = COPIES[how](self.classifier)

    def set(self, parameters):
        self.classifier.set_params(**parameters)

    def joint(self):
        X, y, weight = map(np.concatenate, zip(*self.batches))
        return LayUPClassifier(**self.classifier.get_params()).fit(X, y, weight)


@given(
    seed=st.integers(0, 999),
    parameters=st.sampled_from(PARAMETERS),
    calls=st.lists(CALL, min_size=6, max_size=25),
)
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore:The evidence is highest")
def test_any_interleaving_is_the_joint_fit(seed, parameters, calls):
    check_interleaving(seed, parameters, calls)


CALLS = [
    ("learn", 2, [1, 4], True),
    ("learn", 300, [2, 5], False),
    ("merge", 2, [0, 5], False),
    ("merge", 40, [1, 6], True),
    ("forget", 1),
    ("declare", 7),
    ("rename", {1: 8, 0: 2}),
    ("read", "predict"),
    ("read", "score_samples"),
    ("read", "statistics"),
    ("become", "copy"),
    ("become", "save"),
    ("set", {"rule": "ridge", "ridge": 0.5, "priors": None}),
]


@pytest.mark.parametrize("first", CALLS, ids=str)
@pytest.mark.filterwarnings("ignore:The evidence is highest")
def test_any_two_calls_while_rows_wait_are_the_joint_fit(first):
    for parameters in ({"ridge": 3.0}, {"ridge": "auto"}):
        for second in CALLS:
            calls = [("learn", 1, [3], False), first, second, ("learn", 1, [0], False)]
            check_interleaving(0, parameters, calls)


def check_interleaving(seed, parameters, calls):
    stream = Stream(seed, parameters)
    for name, *args in calls:
        getattr(stream, name)(*args)
    ours, joint = stream.classifier, stream.joint()
    for _ in range(2):  # as it waits, and with folded sums
        seen = np.isin(ours.classes_, joint.classes_)
        assert ours.ridge_ == joint.ridge_
        assert_close(ours.coef_[seen], joint.coef_)
        assert_allclose(ours.log_evidence_, joint.log_evidence_, rtol=1e-8, atol=1e-6)
        assert_close(ours.predict_proba(stream.means)[:, seen], joint.predict_proba(stream.means))
        assert_close(ours.score_samples(stream.means), joint.score_samples(stream.means))
        assert_array_equal(ours.predict(stream.means), joint.predict(stream.means))
        assert_array_equal(ours.ridge_scores_["ridge"], joint.ridge_scores_["ridge"])
        assert_close(ours.statistics_.gram, joint.statistics_.gram)


def assert_close(ours, joint):
    assert_allclose(ours, joint, rtol=1e-8, atol=1e-8 * np.abs(joint).max())


# exact rationals


def exact_coef(X, Y, ridge):
    """(Y'X) (X'X + ridge I)^-1 by Gaussian elimination in fractions."""
    d = len(X[0])
    rows = [
        [Fraction(sum(x[i] * x[j] for x in X)) + (ridge if i == j else 0) for j in range(d)]
        + [Fraction(sum(x[i] * t[c] for x, t in zip(X, Y))) for c in range(len(Y[0]))]
        for i in range(d)
    ]
    for i in range(d):
        pivot = rows[i][i]
        rows[i] = [value / pivot for value in rows[i]]
        for j in range(d):
            if j != i:
                factor = rows[j][i]
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i])]
    return np.array([[float(value) for value in row[d:]] for row in rows]).T


@given(
    rows=st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), min_size=2, max_size=12),
    seed=st.integers(0, 99),
    ridge=st.sampled_from([Fraction(1, 8), Fraction(1), Fraction(1000)]),
    how=st.sampled_from(["one call", "single", "forget", "merge"]),
)
@settings(max_examples=100, deadline=None)
def test_coefficients_are_those_of_exact_arithmetic(rows, seed, ridge, how):
    X = np.array(rows, dtype=float)
    y = np.arange(len(X)) % 3
    expected = exact_coef(rows, np.eye(3, dtype=int)[y][:, : y.max() + 1].tolist(), ridge)
    classifier = LayUPClassifier(ridge=float(ridge), rule="ridge")
    if how == "single":
        for i in range(len(X)):
            classifier.partial_fit(X[i : i + 1], y[i : i + 1]).predict(X)
    elif how == "forget":
        classifier.fit(np.vstack([X, 2 * X]), np.hstack([y, y])).predict(X)
        classifier.forget(2 * X, y)
    elif how == "merge":
        classifier.fit(X[:1], y[:1]).merge(LayUPClassifier().fit(X[1:], y[1:]))
    else:
        classifier.fit(X, y)
    assert_allclose(classifier.coef_, expected, rtol=1e-10, atol=1e-12)


# a long stream


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
@pytest.mark.parametrize("n_features", [4, 60])
@pytest.mark.filterwarnings("ignore:The evidence is highest")
def test_a_thousand_samples_one_by_one_do_not_drift(parameters, n_features):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 1000)
    X = rng.standard_normal((4, n_features))[y] + rng.standard_normal((1000, n_features))
    stream = LayUPClassifier(**parameters)
    for i in range(1000):
        stream.partial_fit(X[i : i + 1], y[i : i + 1])
        if i % 3 == 0 and i > 300:
            stream.predict(X[:1])
    joint = LayUPClassifier(**parameters).fit(X, y)
    assert stream.ridge_ == joint.ridge_
    assert_close(stream.coef_, joint.coef_)
    assert_allclose(stream.log_evidence_, joint.log_evidence_, rtol=1e-9)

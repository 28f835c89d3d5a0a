"""Sequences of public calls with valid and invalid input, against a model that keeps all samples.

``python tests/fuzz.py 3000`` runs so many sequences; tests/test_fuzz.py a few hundred. Every
call either does what the samples it stands for say, or raises one of scikit-learn's usual
exceptions and leaves the classifier as it was.
"""

import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from _helpers import state
from layup_sklearn import PAPER_RIDGES, LayUPClassifier, parallel_fit

USUAL = (ValueError, TypeError, NotFittedError)  # LinAlgError and the rest are ValueErrors
D = 4
outcomes = Counter()

FEATURES = {
    "normal": lambda rng, n: rng.standard_normal((n, D)),
    "integers": lambda rng, n: rng.integers(-3, 4, (n, D)),
    "float32": lambda rng, n: rng.standard_normal((n, D)).astype(np.float32),
    "list": lambda rng, n: rng.standard_normal((n, D)).tolist(),
    "zeros": lambda rng, n: np.zeros((n, D)),
    "duplicates": lambda rng, n: rng.standard_normal((1, D)).repeat(n, axis=0),
    "tiny": lambda rng, n: 1e-160 * rng.standard_normal((n, D)),
    "large": lambda rng, n: 1e15 * rng.standard_normal((n, D)),
    "huge": lambda rng, n: 1e200 * rng.standard_normal((n, D)),
    "fortran": lambda rng, n: np.asfortranarray(rng.standard_normal((n, D)))[::-1],
    "nan": lambda rng, n: np.where(rng.random((n, D)) < 0.3, np.nan, 1.0),
    "inf": lambda rng, n: np.full((n, D), -np.inf),
    "too wide": lambda rng, n: rng.standard_normal((n, D + 1)),
    "1-D": lambda rng, n: rng.standard_normal(n),
    "3-D": lambda rng, n: rng.standard_normal((n, D, 2)),
    "strings": lambda rng, n: np.full((n, D), "a"),
    "objects": lambda rng, n: np.full((n, D), None),
    "complex": lambda rng, n: 1j * rng.standard_normal((n, D)),
    "none": lambda rng, n: None,
    "number": lambda rng, n: 7,
    "string": lambda rng, n: "X",
    "dict": lambda rng, n: {"X": 1},
}
LABELS = {
    "integers": lambda rng, n: rng.integers(0, 4, n),
    "booleans": lambda rng, n: rng.integers(0, 2, n).astype(bool),
    "floats": lambda rng, n: rng.integers(0, 4, n).astype(float),
    "list": lambda rng, n: rng.integers(0, 4, n).tolist(),
    "one class": lambda rng, n: np.full(n, 2),
    "large": lambda rng, n: rng.integers(2**62, 2**62 + 3, n),
    "strings": lambda rng, n: rng.choice(["a", "bb", ""], n),
    "mixed": lambda rng, n: np.array([1, "a", None] * n, object)[:n],
    "continuous": lambda rng, n: rng.standard_normal(n),
    "nan": lambda rng, n: np.full(n, np.nan),
    "column": lambda rng, n: rng.integers(0, 4, (n, 1)),
    "2-D": lambda rng, n: rng.integers(0, 4, (n, 2)),
    "too few": lambda rng, n: rng.integers(0, 4, max(n - 1, 0)),
    "none": lambda rng, n: None,
    "number": lambda rng, n: 3,
    "dates": lambda rng, n: np.full(n, "2026-11-23", "datetime64[D]"),
}
WEIGHTS = {
    "none": lambda rng, n: None,
    "uniform": lambda rng, n: rng.uniform(0.1, 2, n),
    "with zeros": lambda rng, n: rng.integers(0, 3, n),
    "number": lambda rng, n: 2.0,
    "zero": lambda rng, n: np.zeros(n),
    "negative": lambda rng, n: -np.ones(n),
    "nan": lambda rng, n: np.full(n, np.nan),
    "too long": lambda rng, n: np.ones(n + 1),
    "strings": lambda rng, n: np.full(n, "a"),
    "2-D": lambda rng, n: np.ones((n, 2)),
    "huge": lambda rng, n: np.full(n, 1e308),
}
CLASSIFIERS = {
    "default": {},
    "fixed": {"ridge": 1.0},
    "single": {"dtype": "float32", "ridge": 0.1},
    "folds": {"cv": 2, "ridges": [0.1, 1.0]},
    "paper": {"cv": 4, "ridges": PAPER_RIDGES},
    "scaled": {"encoder": StandardScaler(), "n_layers": "auto"},
    "no ridge": {"ridge": 0.0},
    "negative": {"ridge": -1.0},
    "bad": {"n_layers": 2.5},
}
CHANGES = ["fit", "partial_fit", "forget", "forget known", "merge", "parallel_fit"]
LOOKS = ["predict", "decision_function", "score", "attributes", "round trip", "load noise"]


SIZES = [7, 0, 1, 3, 30]
TABLES = [[*CHANGES, *LOOKS], FEATURES, LABELS, WEIGHTS, SIZES]


def random_sequence(rng):
    """A classifier and calls; half of the choices are among the first, valid ones of a table."""

    def choose(table):
        return (names := [*table])[rng.integers(3 if rng.random() < 0.5 else len(names))]

    def call(actions=TABLES[0]):
        action = actions[rng.integers(len(actions))]
        return action, *map(choose, TABLES[1:]), int(rng.integers(2**32))

    start = call(["fit", "partial_fit", "parallel_fit"])
    if rng.random() < 0.7:
        start = (start[0], "normal", "integers", "uniform", 30, start[-1])
    return choose(CLASSIFIERS), [start, *(call() for _ in range(rng.integers(1, 9)))]


class Model:
    """A classifier, the samples that it should stand for, and calls on both."""

    def __init__(self, kind, folder):
        self.classifier, self.kind, self.folder = LayUPClassifier(**CLASSIFIERS[kind]), kind, folder
        self.samples = []  # of X, y, weight

    def state(self):
        return state(self.classifier)

    def call(self, action, features, labels, weights, n, seed):
        rng = np.random.default_rng(seed)
        X, y, weight = FEATURES[features](rng, n), LABELS[labels](rng, n), WEIGHTS[weights](rng, n)
        before = self.state()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                warnings.filterwarnings("ignore", category=RuntimeWarning, module="sklearn")
                getattr(self, action.replace(" ", "_"))(X, y, weight, rng)
            outcomes[action, "answer"] += 1
        except USUAL as error:
            assert str(error), f"{action}: an error without a message"
            assert self.state() == before, f"{action} failed and changed the classifier: {error}"
            outcomes[action, type(error).__name__] += 1
        else:
            assert action in CHANGES or self.state() == before, f"{action} changed the classifier"
            self.compare()

    def compare(self):
        """The sums are those of the samples."""
        if not self.samples:
            return
        statistics = self.classifier.statistics_
        encoder = self.classifier.encoder_
        encoded = [(encoder.transform(X) if encoder else X, *rest) for X, *rest in self.samples]
        X, y, weight = (np.concatenate(part) for part in zip(*encoded))
        X = X.astype(np.float64)
        rtol = 1e-8 if self.classifier.dtype == "float64" else 1e-2
        scale = self.largest * rtol + 1e-300
        onehot = (y[:, np.newaxis] == statistics.classes) * weight[:, np.newaxis]
        assert_allclose(statistics.gram, X.T * weight @ X, rtol=rtol, atol=scale)
        assert_allclose(statistics.class_sum, onehot.T @ X, rtol=rtol, atol=np.sqrt(scale) + scale)
        assert_allclose(statistics.class_count, onehot.sum(axis=0), rtol=rtol, atol=rtol)
        seen = set().union(*(y.tolist() for _, y, _ in self.samples))
        assert set(statistics.classes[statistics.class_count > 0].tolist()) == seen

    def learned(self, X, y, weight, reset=False):
        X, y = np.asarray(X), np.asarray(y).ravel()
        weight = np.broadcast_to(1.0 if weight is None else np.asarray(weight, float), y.shape)
        kept = weight > 0
        self.samples = [] if reset else self.samples
        if self.samples is not None:
            self.samples.append((X[kept], y[kept], weight[kept]))
        norm = np.abs(self.classifier.statistics_.gram).max()
        self.largest = max(0 if reset else self.largest, norm)

    def fit(self, X, y, weight, rng):
        self.classifier.fit(X, y, weight)
        self.learned(X, y, weight, reset=True)

    def partial_fit(self, X, y, weight, rng):
        classes = rng.choice([None, 3, 9, "c"], 2).tolist() if rng.random() < 0.2 else None
        reset = not hasattr(self.classifier, "statistics_")
        self.classifier.partial_fit(X, y, classes, weight)
        self.learned(X, y, weight, reset)

    def merge(self, X, y, weight, rng):
        other = LayUPClassifier().fit(X, y, weight)
        self.classifier.merge(other if rng.random() < 0.9 else X)
        self.learned(X, y, weight)

    def parallel_fit(self, X, y, weight, rng):
        reset = not hasattr(self.classifier, "statistics_")
        parallel_fit(self.classifier, [(X, y, weight)] * 2)
        self.learned(X, y, weight, reset)
        self.learned(X, y, weight)

    def forget(self, X, y, weight, rng):
        """Samples that were hardly ever learned: refused, or taken from sums that allow it."""
        self.classifier.forget(X, y, weight)
        gram = self.classifier.statistics_.gram
        tolerance = (1e-7 if gram.dtype == np.float64 else 0.1) * self.largest
        assert np.linalg.eigvalsh(gram.astype(float)).min() >= -tolerance
        self.samples = None  # what it stands for now are no samples

    def forget_known(self, X, y, weight, rng):
        """Samples that were learned: never refused, unless none would be left."""
        i = rng.integers(len(self.samples)) if self.samples else None
        if i is None:
            return
        rest = [*self.samples[:i], *self.samples[i + 1 :]]
        try:
            self.classifier.forget(*self.samples[i])
        except ValueError as error:
            assert not rest and "No sample would be left" in str(error), error
            raise
        assert rest
        self.samples = rest

    def predict(self, X, y, weight, rng):
        labels = self.classifier.predict(X)
        statistics = self.classifier.statistics_
        assert set(labels) <= set(statistics.classes[statistics.class_count > 0])

    def decision_function(self, X, y, weight, rng):
        scores = self.classifier.decision_function(X)
        assert len(scores) == len(X) and np.isfinite(scores).all()
        best = scores > 0 if scores.ndim == 1 else scores.argmax(axis=1)
        assert_array_equal(self.classifier.classes_[best.astype(int)], self.classifier.predict(X))

    def score(self, X, y, weight, rng):
        with np.errstate(all="ignore"):  # accuracy_score's own, for hostile y and weights
            accuracy = self.classifier.score(X, y, weight)
        assert weight is not None or 0 <= accuracy <= 1

    def attributes(self, X, y, weight, rng):
        classifier = self.classifier
        K, d = len(classifier.classes_), classifier.statistics_.n_features
        assert classifier.coef_.shape == (K, d) and np.isfinite(classifier.coef_).all()
        assert classifier.ridge_ >= 0 and classifier.n_layers_ == 1
        assert len(classifier.ridge_scores_) and not np.isnan(classifier.log_evidence_)

    def round_trip(self, X, y, weight, rng):
        path = Path(self.folder) / "model"
        self.classifier.save(path)
        loaded = LayUPClassifier.load(path)
        assert_array_equal(loaded.classes_, self.classifier.classes_)
        assert_array_equal(loaded.statistics_.gram, self.classifier.statistics_.gram)
        if self.state_is_solvable():  # carried over rows that waited, or from folded sums
            rtol = 1e-7 if self.classifier.dtype == "float64" else 1e-3
            atol = rtol * np.abs(loaded.coef_).max()
            assert_allclose(self.classifier.coef_, loaded.coef_, rtol=rtol, atol=atol)

    def state_is_solvable(self):
        try:
            return self.classifier.coef_ is not None
        except USUAL:
            return False

    def load_noise(self, X, y, weight, rng):
        path = Path(self.folder) / "noise"
        content = bytearray(rng.bytes(rng.integers(0, 400)))
        if hasattr(self.classifier, "statistics_") and self.classifier.encoder_ is None:
            self.classifier.save(path)
            content = bytearray(path.read_bytes())
            for position in rng.integers(0, len(content), rng.integers(0, 5)):
                content[position] = rng.integers(256)
            del content[rng.integers(1, 2 * len(content)) :]
        path.write_bytes(content)
        with np.errstate(all="ignore"):
            LayUPClassifier.load(path)


def check_sequence(kind, sequence):
    with tempfile.TemporaryDirectory() as folder:
        model = Model(kind, folder)
        for call in sequence:
            model.call(*call)


def main(n_sequences):
    warnings.simplefilter("error", RuntimeWarning)
    start = time.perf_counter()
    for seed in range(n_sequences):
        kind, sequence = random_sequence(np.random.default_rng(seed))
        try:
            check_sequence(kind, sequence)
        except BaseException:
            print(f"seed {seed}: {kind}, {sequence}")
            raise
    seconds = time.perf_counter() - start
    print(f"{n_sequences} sequences, {sum(outcomes.values())} calls, {seconds:.0f} s")
    for (action, outcome), number in sorted(outcomes.items()):
        print(f"{action:18} {outcome:24} {number}")


if __name__ == "__main__":
    main(int(sys.argv[1]))

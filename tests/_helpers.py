"""What several files of tests share: samples, an encoder, and comparisons by public names."""

import joblib
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import LinAlgError
from sklearn.base import BaseEstimator, TransformerMixin

LABELS = {"int": [3, -1, 7, 8], "str": ["b", "a", "cc", "d"], "float": [0.0, 2.0, 5.0, 1.0]}
SUMS = ("gram", "class_sum", "class_count")


class Layers(TransformerMixin, BaseEstimator):
    """Features in layers of given widths; counts its calls and fails when told to."""

    def __init__(self, sizes=(2, 3), fail_at=None, error=ValueError):
        self.sizes, self.fail_at, self.error = sizes, fail_at, error

    def fit(self, X, y=None):
        self.layer_sizes_ = list(self.sizes)
        self.n_fits_ = getattr(self, "n_fits_", 0) + 1
        self.n_calls_ = 0
        return self

    def transform(self, X):
        self.n_calls_ += 1
        if self.n_calls_ == self.fail_at:
            raise self.error("told to fail")
        return np.asarray(X)[:, : sum(self.sizes)]


def make_samples(n_samples=40, n_features=5, labels=(0, 1, 2, 3), seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.arange(n_samples) % len(labels))
    means = rng.standard_normal((len(labels), n_features))
    return means[codes] + rng.standard_normal((n_samples, n_features)), np.array(labels)[codes]


def sums(classifier):
    """The arrays of `statistics_`; nothing when there are none."""
    statistics = getattr(classifier, "statistics_", None)
    return {name: np.array(getattr(statistics, name)) for name in SUMS if statistics is not None}


def facts(classifier):
    """A digest of all that a classifier knows beside the sums."""
    held = classifier.get_params(deep=False)
    names = ("classes_", "n_features_in_", "feature_names_in_", "encoder_")
    held |= {name: getattr(classifier, name) for name in names if hasattr(classifier, name)}
    if "classes_" in held and classifier.cv is not None:  # the choice is not one of the sums
        try:
            held["choice"] = classifier.ridge_scores_
        except LinAlgError as error:
            held["choice"] = str(error)
    return joblib.hash(held)


def state(classifier):
    """A digest of all that a classifier knows."""
    return facts(classifier), joblib.hash(sums(classifier))


def assert_same_sums(ours, reference, rtol=1e-10):
    """The same ClassStatistics, up to rounding relative to the size of the sums."""
    assert_array_equal(ours.classes, reference.classes)
    for name in SUMS:
        expected = getattr(reference, name)
        atol = rtol * np.abs(expected).max()
        assert_allclose(getattr(ours, name), expected, rtol=rtol, atol=atol, err_msg=name)


def assert_same_model(ours, reference, X, rtol=1e-10):
    """The same sums, up to rounding, and the same labels of X."""
    assert_same_sums(ours.statistics_, reference.statistics_, rtol)
    assert_array_equal(ours.predict(X), reference.predict(X))

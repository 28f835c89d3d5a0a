"""Baselines that see all samples so far at each call."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Collected(ClassifierMixin, BaseEstimator):
    """Learns all samples so far anew; a subclass has `learn(X, codes)` and `scores(X)`.

    Also for methods whose own state are sums that grow with the number of classes: the
    result is the same, and the samples are smaller.
    """

    def partial_fit(self, X, y):
        old = getattr(self, "samples_", (X[:0], y[:0]))
        self.samples_ = np.vstack([old[0], X]), np.concatenate([old[1], y])
        self.classes_, codes = np.unique(self.samples_[1], return_inverse=True)
        self.learn(self.samples_[0], codes)
        return self

    def predict(self, X):
        return self.classes_[self.scores(X).argmax(axis=1)]

    @property
    def state_bytes(self):
        """Features and a code of 4 bytes of all samples; sums where the method keeps sums."""
        X, y = self.samples_
        return X.nbytes + 4 * len(y)


class OfScikitLearn(Collected):
    """An estimator of scikit-learn on all samples.

    Parameters
    ----------
    estimator : classifier
    """

    def __init__(self, estimator):
        self.estimator = estimator

    def learn(self, X, codes):
        self.estimator.fit(X, codes)

    def predict(self, X):
        return self.classes_[self.estimator.predict(X)]


def means_and_scatter(X, codes):
    """Class means, numbers of samples, and the scatter around the class means, in float64."""
    counts = np.bincount(codes)
    means = np.array([X[codes == c].mean(axis=0, dtype=np.float64) for c in range(len(counts))])
    deviations = X - means[codes]
    return means, counts, deviations.T @ deviations

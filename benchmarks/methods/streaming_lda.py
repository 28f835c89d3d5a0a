"""Streaming LDA on the last layer (Hayes and Kanan, CVPR Workshops 2020), shrinkage 1e-4."""

import numpy as np
from scipy.linalg import pinvh
from sklearn.base import BaseEstimator, ClassifierMixin

FEATURES = {"n_layers": 1, "pool": "token", "layer_norm": True}


class StreamingLDA(ClassifierMixin, BaseEstimator):
    """Running class means and covariance, sample by sample; a pseudo-inverse per batch."""

    def __init__(self, shrinkage=1e-4):
        self.shrinkage = shrinkage

    def partial_fit(self, X, y, classes=None):
        if not hasattr(self, "mean_"):
            self.classes_ = np.unique(y) if classes is None else np.asarray(classes)
            self.mean_ = np.zeros((len(self.classes_), X.shape[1]))
            self.count_ = np.zeros(len(self.classes_))
            self.covariance_ = np.eye(X.shape[1])
            self.n_samples_ = 0
        for x, label in zip(X.astype(np.float64), np.searchsorted(self.classes_, y)):
            deviation, n = x - self.mean_[label], self.n_samples_
            self.covariance_ *= n / (n + 1)
            self.covariance_ += n / (n + 1) ** 2 * np.outer(deviation, deviation)
            self.mean_[label] += deviation / (self.count_[label] + 1)
            self.count_[label] += 1
            self.n_samples_ += 1
        shrunk = (1 - self.shrinkage) * self.covariance_
        shrunk[np.diag_indices_from(shrunk)] += self.shrinkage
        self.coef_ = self.mean_ @ pinvh(shrunk)
        self.intercept_ = -0.5 * (self.coef_ * self.mean_).sum(axis=1)
        return self

    def predict(self, X):
        scores = X @ self.coef_.T + self.intercept_
        scores[:, self.count_ == 0] = -np.inf
        return self.classes_[scores.argmax(axis=1)]

    @property
    def state_bytes(self):
        """In float32, as the authors: covariance, and mean and number of each class seen."""
        n_classes, d = np.count_nonzero(self.count_), len(self.covariance_)
        return 4 * (d * d + n_classes * (d + 1))


def make(sizes, seed):
    return StreamingLDA()

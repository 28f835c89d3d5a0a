"""FeCAM: Mahalanobis distance with a covariance of each class, features as `layup`.

Goswami et al., "FeCAM: exploiting the heterogeneity of class distributions in exemplar-free
continual learning", NeurIPS 2023. Covariances shrunk by the means of their diagonal and of
their other entries (both times 1), then scaled to unit variances. Without Tukey's transformation,
which asks for features that are not negative; vectors have length 1. Where a class has far fewer
samples than features (30 of 2,304), its distances say nothing.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.preprocessing import normalize

from ._collected import Collected
from .layup import FEATURES  # noqa: F401

ORDER_FREE = True


class FeCAM(Collected):
    """Distances are computed class by class, so that one covariance is held at a time."""

    def learn(self, X, codes):
        self.codes_ = codes

    def scores(self, X):
        samples = self.samples_[0]
        parts = [samples[self.codes_ == c] for c in range(len(self.classes_))]
        return -np.array([_squared_distance(X, part) for part in parts]).T

    @property
    def state_bytes(self):
        """In float32: covariance and mean of each class."""
        d = self.samples_[0].shape[1]
        return 4 * len(self.classes_) * (d * d + d)


def _squared_distance(X, part):
    mean = part.mean(axis=0, dtype=np.float64)
    d, deviations = len(mean), part - mean
    covariance = deviations.T @ deviations / max(len(part) - 1, 1)
    diagonal = covariance.trace() / d
    others = (covariance.sum() - covariance.trace()) / (d * (d - 1))
    covariance += others
    covariance[np.diag_indices(d)] += diagonal - others
    scale = np.sqrt(np.maximum(covariance.diagonal(), 1e-12))
    correlation = covariance / np.outer(scale, scale)
    away = normalize(X) - normalize(mean[np.newaxis])
    correlation[np.diag_indices(d)] += 1e-6
    return (away * cho_solve(cho_factor(correlation), away.T).T).sum(axis=1)


def make(sizes, seed):
    return FeCAM()

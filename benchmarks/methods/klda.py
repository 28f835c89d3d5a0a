"""KLDA: 5,000 random Fourier features and linear discriminant analysis, features as `layup`.

Momeni et al., "Continual learning using a kernel-based method over foundation models", AAAI 2025.
The width of the kernel, which the paper sets for each data set: the median distance between
samples of the first batch.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import pdist

from ._collected import Collected, means_and_scatter
from .layup import FEATURES  # noqa: F401


class FourierLDA(Collected):
    """`itemsize`: bytes of a number of the method's sums."""

    def __init__(self, n_components, shrinkage, random_state=0, itemsize=4):
        self.n_components = n_components
        self.shrinkage = shrinkage
        self.random_state = random_state
        self.itemsize = itemsize

    def learn(self, X, codes):
        if not hasattr(self, "frequencies_"):
            rng = np.random.default_rng(self.random_state)
            some = X[rng.permutation(len(X))[:500]]
            width = np.median(pdist(some)) if len(some) > 1 else 1.0
            shape = X.shape[1], self.n_components
            self.frequencies_ = (rng.standard_normal(shape) / width).astype(np.float32)
            self.phases_ = rng.uniform(0, 2 * np.pi, self.n_components).astype(np.float32)
        means, _, scatter = means_and_scatter(self._features(X), codes)
        covariance = (1 - self.shrinkage) * scatter / len(X)
        covariance[np.diag_indices_from(covariance)] += self.shrinkage
        self.coef_ = cho_solve(cho_factor(covariance), means.T)
        self.intercept_ = -0.5 * (self.coef_ * means.T).sum(axis=0)

    def _features(self, X):
        scale = np.float32(np.sqrt(2 / self.n_components))
        return scale * np.cos(X.astype(np.float32) @ self.frequencies_ + self.phases_)

    def scores(self, X):
        return self._features(X) @ self.coef_ + self.intercept_

    @property
    def state_bytes(self):
        """One covariance, and mean and number of each class."""
        d, n_classes = self.coef_.shape
        return self.itemsize * (d * d + n_classes * (d + 1))


def make(sizes, seed):
    return FourierLDA(5_000, 1e-6, seed)

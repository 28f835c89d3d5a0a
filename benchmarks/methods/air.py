"""AIR: ridge regression on classes of equal weight (K Gram matrices), features as `layup`.

Fang et al., "AIR: Analytic imbalance rectifier for continual learning", 2024, without its random
expansion. Every sample has the weight 1 / N_c, which the method does with a Gram matrix a class.
The ridge, which the paper sets by hand: lowest error on a fifth of the newest batch, weighted
likewise, among powers of ten around the mean square of the features.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ._collected import Collected
from .layup import FEATURES  # noqa: F401

RIDGES = 10.0 ** np.arange(-6, 3)


class AIR(Collected):
    def __init__(self, random_state=0):
        self.random_state = random_state

    def learn(self, X, codes):
        n_new = len(X) - getattr(self, "n_seen_", 0)
        self.n_seen_ = len(X)
        rng = np.random.RandomState(self.random_state)
        held_out = len(X) - n_new + rng.permutation(n_new)[: n_new // 5]
        kept = np.setdiff1d(np.arange(len(X)), held_out)
        scale = np.mean(np.square(X, dtype=np.float64)) * X.shape[1]
        ridge = scale
        if len(held_out):
            gram, sums = _weighted_sums(X[kept], codes[kept], codes.max() + 1)
            weights = 1 / np.bincount(codes)[codes[held_out]]
            Y = np.eye(codes.max() + 1)[codes[held_out]]
            errors = [
                weights @ ((X[held_out] @ _solve(gram, sums, scale * r) - Y) ** 2).sum(axis=1)
                for r in RIDGES
            ]
            ridge = scale * RIDGES[np.argmin(errors)]
        self.coef_ = _solve(*_weighted_sums(X, codes, codes.max() + 1), ridge)

    def scores(self, X):
        return X @ self.coef_

    @property
    def state_bytes(self):
        """In float64: Gram matrix, sum and number of each class."""
        d, n_classes = self.coef_.shape
        return 8 * n_classes * (d * d + d + 1)


def _weighted_sums(X, codes, n_classes):
    weight = 1 / np.maximum(np.bincount(codes, minlength=n_classes), 1)[codes]
    weighted = X * weight[:, np.newaxis]
    return weighted.T @ X, weighted.T @ np.eye(n_classes)[codes]


def _solve(gram, sums, ridge):
    return cho_solve(cho_factor(gram + ridge * np.eye(len(gram))), sums)


def make(sizes, seed):
    return AIR(seed)

"""LoRanPAC: 10,000 random ReLU features of the last layer, their SVD without its last quarter.

Peng et al., "LoRanPAC: Low-rank random features and pre-trained models for bridging theory and
practice in continual learning", ICLR 2025, without first-session adaptation; the paper has 100,000
features. As there: an incremental SVD of the features, never more than three quarters as
many components as samples or as features, or than 10,000; least squares without a ridge
in its span. The SVD is updated after each task or 10,000 samples, here before predictions or after
10,000 samples; it comes from the Gram matrix of the components and the new features, in float64.
"""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

FEATURES = {"n_layers": 1, "pool": "token", "layer_norm": True}
MAX_RANK = MAX_WAITING = 10_000


class LoRanPAC(ClassifierMixin, BaseEstimator):
    def __init__(self, n_components=10_000, truncated=0.25, random_state=0):
        self.n_components = n_components
        self.truncated = truncated
        self.random_state = random_state

    def partial_fit(self, X, y):
        if not hasattr(self, "weights_"):
            rng = np.random.default_rng(self.random_state)
            self.weights_ = rng.standard_normal((X.shape[1], self.n_components), np.float32)
            self.scaled_ = np.empty((self.n_components, 0), np.float32)  # U Sigma of the SVD
            self.classes_, self.sums_ = y[:0], np.empty((self.n_components, 0))
            self.waiting_, self.n_samples_ = [], 0
        H = self._features(X)
        classes = np.union1d(self.classes_, y)
        sums = H.T @ (y[:, np.newaxis] == classes)
        sums[:, np.searchsorted(classes, self.classes_)] += self.sums_
        self.classes_, self.sums_ = classes, sums
        self.waiting_.append(H)
        self.n_samples_ += len(y)
        if sum(map(len, self.waiting_)) > MAX_WAITING:
            self._update()
        return self

    def _features(self, X):
        return np.maximum(X.astype(np.float32) @ self.weights_, 0)

    def _update(self):
        """Fold the waiting features into the SVD."""
        both = np.hstack([self.scaled_, *[H.T for H in self.waiting_]])
        share = 1 - self.truncated
        rank = min(round(self.n_samples_ * share), round(self.n_components * share), MAX_RANK)
        both = both.astype(np.float64)
        squares, vectors = np.linalg.eigh(both.T @ both)
        # Singular values below float32's rounding, which samples seen twice leave, are zeros.
        kept = squares > np.finfo(np.float32).eps ** 2 * squares[-1]
        kept[: max(len(kept) - rank, 0)] = False
        scaled = both @ vectors[:, kept]
        inner = scaled.T @ self.sums_ / squares[kept][:, np.newaxis] ** 2
        self.coef_ = scaled @ inner  # U Sigma^-2 U'S, as U Sigma is kept
        self.scaled_, self.waiting_ = scaled.astype(np.float32), []

    def predict(self, X):
        if self.waiting_:
            self._update()
        return self.classes_[(self._features(X) @ self.coef_).argmax(axis=1)]

    @property
    def state_bytes(self):
        """In float32: components, singular values and class sums."""
        return 4 * (self.scaled_.size + self.scaled_.shape[1] + self.sums_.size)


def make(sizes, seed):
    return LoRanPAC(random_state=seed)

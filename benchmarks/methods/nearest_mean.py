"""Nearest class mean on the last layer."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import pairwise_distances_argmin

FEATURES = {"n_layers": 1, "pool": "token", "layer_norm": True}
ORDER_FREE = True


class NearestMean(ClassifierMixin, BaseEstimator):
    def partial_fit(self, X, y):
        sums = getattr(self, "sums_", {})
        for label in np.unique(y):
            total, count = sums.get(label, (0, 0))
            sums[label] = total + X[y == label].sum(axis=0), count + (y == label).sum()
        self.sums_ = sums
        return self

    def predict(self, X):
        labels = np.array(list(self.sums_))
        means = np.array([total / count for total, count in self.sums_.values()])
        return labels[pairwise_distances_argmin(X, means)]

    @property
    def state_bytes(self):
        """In float32: sum and number of each class."""
        return 4 * sum(total.size + 1 for total, _ in self.sums_.values())


def make(sizes, seed):
    return NearestMean()

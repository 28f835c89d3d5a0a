"""AFL: least squares of every batch, merged by the absolute aggregation law, on the last layer.

He et al., "AFL: A single-round analytic approach for federated learning with pre-trained models",
CVPR 2025: each call is a client. A client's ridge of 1 is subtracted again for each client after
they are merged, as in the authors' run.sh; with it left in, the last layer's ridge regression is
`recursive_ridge`. The paper's inverse needs more samples than features; where the sums do not
have full rank, this is the solution of least norm.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve, pinvh
from sklearn.base import BaseEstimator, ClassifierMixin

FEATURES = {"n_layers": 1, "pool": "token", "layer_norm": True}
ORDER_FREE = True


class AFL(ClassifierMixin, BaseEstimator):
    """Parameters: ridge of every client, and whether it is subtracted after they are merged."""

    def __init__(self, gamma=1.0, clean=True):
        self.gamma = gamma
        self.clean = clean

    def partial_fit(self, X, y):
        X = X.astype(np.float64)
        d, old = X.shape[1], getattr(self, "classes_", y[:0])
        self.classes_ = np.union1d(old, y)
        gram = X.T @ X + self.gamma * np.eye(d)
        coef = _solve(gram, X.T @ (y[:, np.newaxis] == self.classes_))
        if len(old):
            known = np.zeros((d, len(self.classes_)))
            known[:, np.searchsorted(self.classes_, old)] = self.merged_
            coef, gram = aggregate(known, self.gram_, coef, gram)
        self.merged_, self.gram_ = coef, gram
        self.n_clients_ = getattr(self, "n_clients_", 0) + 1
        self.__dict__.pop("coef_", None)
        return self

    def predict(self, X):
        if not hasattr(self, "coef_"):
            self.coef_ = self._cleaned() if self.clean else self.merged_
        return self.classes_[(X @ self.coef_).argmax(axis=1)]

    def _cleaned(self):
        gammas = self.n_clients_ * self.gamma * np.eye(len(self.gram_))
        tolerance = len(self.gram_) * np.finfo(float).eps
        return pinvh(self.gram_ - gammas, rtol=tolerance) @ (self.gram_ @ self.merged_)

    @property
    def state_bytes(self):
        return self.gram_.nbytes + self.merged_.nbytes


def aggregate(coef, gram, other_coef, other_gram):
    """The absolute aggregation law: solution and Gram matrix of two sets of samples together.

    With C = gram and W = coef: (C_1 + C_2)^-1 (C_1 W_1 + C_2 W_2), to which the paper's
    weights of W_1 and W_2 simplify.
    """
    total = gram + other_gram
    return _solve(total, gram @ coef + other_gram @ other_coef), total


def _solve(gram, sums):
    return cho_solve(cho_factor(gram), sums)


def make(sizes, seed):
    return AFL()

"""RanPAC: 10,000 random ReLU features of the last layer, ridge by the newest task's last 20 %.

McDonnell et al., NeurIPS 2023, without first-session adaptation. Its Gram matrix has 10,000
columns; with fewer samples the same coefficients come from the samples' kernel matrix, which
this baseline keeps (the method itself keeps the Gram matrix and no samples).
"""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from sklearn.base import BaseEstimator, ClassifierMixin

FEATURES = {"n_layers": 1, "pool": "token", "layer_norm": True}
RIDGES = 10.0 ** np.arange(-8, 9)
FIRST = 8  # among them, where the first batches hold fewer than five samples


class RanPAC(ClassifierMixin, BaseEstimator):
    def __init__(self, n_components=10_000, random_state=0):
        self.n_components = n_components
        self.random_state = random_state

    def partial_fit(self, X, y):
        rng = np.random.default_rng(self.random_state)
        if not hasattr(self, "weights_"):
            self.weights_ = rng.standard_normal((X.shape[1], self.n_components), np.float32)
            self.H_, self.y_ = np.empty((0, self.n_components), np.float32), y[:0]
            self.kernel_ = np.empty((0, 0))
        rows = rng.permutation(len(y))
        H = np.maximum(X[rows] @ self.weights_, 0)
        cross = (self.H_ @ H.T).astype(np.float64)
        self.kernel_ = np.block([[self.kernel_, cross], [cross.T, (H @ H.T).astype(np.float64)]])
        self.H_, self.y_ = np.vstack([self.H_, H]), np.concatenate([self.y_, y[rows]])
        self.classes_ = np.unique(self.y_)
        Y = (self.y_[:, np.newaxis] == self.classes_).astype(np.float64)
        if len(y) >= 5 or not hasattr(self, "best_"):
            self.best_ = self._choose(Y, len(Y) - len(y) // 5)
        for self.ridge_ in RIDGES[self.best_ :]:  # the next, where all samples make it singular
            try:
                dual = _solve(self.kernel_, self.ridge_, Y)
            except LinAlgError:
                continue
            self.coef_ = dual.T.astype(np.float32) @ self.H_
            return self
        raise LinAlgError("The kernel matrix is singular at every ridge.")

    def _choose(self, Y, n_seen):
        """Place of the ridge of least squared error on the samples from ``n_seen`` on."""
        if n_seen == len(Y):
            return FIRST
        old, new = slice(None, n_seen), slice(n_seen, None)
        errors = []
        for ridge in RIDGES:
            try:
                dual = _solve(self.kernel_[old, old], ridge, Y[old])
            except LinAlgError:
                errors.append(np.inf)
            else:
                errors.append(((self.kernel_[new, old] @ dual - Y[new]) ** 2).sum())
        return np.argmin(errors)

    def predict(self, X):
        scores = np.maximum(X @ self.weights_, 0) @ self.coef_.T
        return self.classes_[scores.argmax(axis=1)]

    @property
    def state_bytes(self):
        """In float32: Gram matrix and class sums."""
        return 4 * self.n_components * (self.n_components + len(self.classes_))


def _solve(kernel, ridge, Y):
    return cho_solve(cho_factor(kernel + ridge * np.eye(len(kernel))), Y)


def make(sizes, seed):
    return RanPAC(random_state=seed)

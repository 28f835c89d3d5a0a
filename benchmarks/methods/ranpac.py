"""RanPAC: 10,000 random ReLU features of the last layer, ridge by the newest task's last 20 %.

McDonnell et al., NeurIPS 2023, without first-session adaptation. Its Gram matrix has 10,000
columns; while samples are fewer, the same coefficients come from their kernel matrix. This
baseline keeps the samples' random features (the method itself the Gram matrix alone).
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
            self.kernel_, self.gram_ = np.empty((0, 0)), None
        rows = rng.permutation(len(y))
        self._grow(np.maximum(X[rows] @ self.weights_, 0))
        self.y_ = np.concatenate([self.y_, y[rows]])
        self.classes_ = np.unique(self.y_)
        Y = (self.y_[:, np.newaxis] == self.classes_).astype(np.float32)
        if len(y) >= 5 or not hasattr(self, "best_"):
            self.best_ = self._choose(Y, len(Y) - len(y) // 5)
        system = self._system(Y, len(Y))
        for self.ridge_ in RIDGES[self.best_ :]:  # the next, where all samples make it singular
            try:
                solution = _solve(system, self.ridge_)
            except LinAlgError:
                continue
            coef = solution.T.astype(np.float32)
            self.coef_ = coef @ self.H_ if self.gram_ is None else coef
            return self
        raise LinAlgError("The ridge system is singular at every ridge.")

    def _grow(self, H):
        """Adds rows; from as many as columns on the Gram matrix takes the kernel matrix's place."""
        seen, self.H_ = self.H_, np.vstack([self.H_, H])
        if len(self.H_) <= self.n_components:
            cross = (seen @ H.T).astype(np.float64)
            own = (H @ H.T).astype(np.float64)
            self.kernel_ = np.block([[self.kernel_, cross], [cross.T, own]])
        elif self.gram_ is None:
            self.kernel_, self.gram_ = None, (self.H_.T @ self.H_).astype(np.float64)
        else:
            self.gram_ += H.T @ H

    def _system(self, Y, n):
        """Matrix and right side of the first ``n`` samples; rows that tell of the others."""
        if self.gram_ is None:
            return self.kernel_[:n, :n], Y[:n], self.kernel_[n:, :n]
        late = self.H_[n:]
        return self.gram_ - late.T @ late, self.H_[:n].T @ Y[:n], late

    def _choose(self, Y, n):
        """Place of the ridge of least squared error on the samples from ``n`` on."""
        if n == len(Y):
            return FIRST
        system = self._system(Y, n)
        errors = []
        for ridge in RIDGES:
            try:
                solution = _solve(system, ridge)
            except LinAlgError:
                errors.append(np.inf)
            else:
                errors.append(((system[2] @ solution - Y[n:]) ** 2).sum())
        return np.argmin(errors)

    def predict(self, X):
        scores = np.maximum(X @ self.weights_, 0) @ self.coef_.T
        return self.classes_[scores.argmax(axis=1)]

    @property
    def state_bytes(self):
        """In float32: Gram matrix and class sums."""
        return 4 * self.n_components * (self.n_components + len(self.classes_))


def _solve(system, ridge):
    matrix = system[0].copy()
    matrix.flat[:: len(matrix) + 1] += ridge
    return cho_solve(cho_factor(matrix, overwrite_a=True), system[1].astype(np.float64))


def make(sizes, seed):
    return RanPAC(random_state=seed)

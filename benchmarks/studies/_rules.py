"""Rules that turn the sums of a classifier into scores, with d x d matrices, as a study may."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from layup_sklearn._temperature import noise_temperature


class Sums:
    """Class means and scatters of a fitted classifier, and its ridge."""

    def __init__(self, classifier):
        statistics = classifier.statistics_
        self.N, self.C = statistics.class_count, statistics.class_sum.astype(np.float64)
        self.n, (self.K, self.d) = self.N.sum(), self.C.shape
        self.gram, self.ridge = statistics.gram, classifier.ridge_
        self.means, self.mean = self.C / self.N[:, np.newaxis], self.C.sum(axis=0) / self.n
        self.within = self.gram - (self.means.T * self.N) @ self.means
        self.log_shares = np.log(self.N / self.n)
        self.noise = classifier._solved()[1].evidence.noise_variance()

    def solve(self, A, B):
        """B A^-1."""
        return cho_solve(cho_factor(A + self.ridge * np.eye(self.d)), B.T).T


def ridge(s):
    """Today: one-hot ridge regression without a mean."""
    return s.solve(s.gram, s.C), np.zeros(s.K)


def ridge_with_intercept(s):
    """One-hot ridge regression with an intercept."""
    coef = s.solve(s.gram - s.n * np.outer(s.mean, s.mean), s.C - np.outer(s.N, s.mean))
    return coef, s.N / s.n - coef @ s.mean


def whitened_cosine(s):
    """Ridge scores over the whitened length of the class sum."""
    coef = s.solve(s.gram, s.C)
    return coef / np.sqrt((coef * s.C).sum(axis=1))[:, np.newaxis], np.zeros(s.K)


def balanced_pooled(s):
    """Ridge regression as if all classes had n / K samples at their means and one scatter."""
    each = s.n / s.K
    return s.solve(s.within + each * s.means.T @ s.means, each * s.means), np.zeros(s.K)


def _lda(s, precision_means, priors):
    bias = -0.5 * (precision_means * s.means).sum(axis=1)
    return precision_means, bias + (s.log_shares if priors else 0)


def lda_of_ridge(s):
    """Linear discriminant analysis, the ridge of the evidence, uniform priors."""
    return _lda(s, max(s.n - s.K, 1) * s.solve(s.within, s.means), False)


def lda_oas(s):
    """Linear discriminant analysis, oracle approximating shrinkage of the pooled covariance."""
    S, n, d = s.within / s.n, s.n, s.d
    trace, squares = S.trace(), (S * S).sum()
    denominator = (n + 1 - 2 / d) * (squares - trace**2 / d)
    shrinkage = (
        min(1.0, ((1 - 2 / d) * squares + trace**2) / denominator) if denominator > 0 else 1.0
    )
    S = (1 - shrinkage) * S + (shrinkage * trace / d + 1e-12) * np.eye(d)
    return _lda(s, cho_solve(cho_factor(S), s.means.T).T, False)


def blend(s):
    """Mean of log probabilities of `ridge_with_intercept` at its noise and of `lda_oas`."""
    coefs, intercepts = zip(*(f(s) for f in (ridge_with_intercept, lda_oas)))
    weights = 1 / noise_temperature(s.noise), 1 / np.sqrt(s.d)
    return sum(w * c for w, c in zip(weights, coefs)), sum(
        w * i for w, i in zip(weights, intercepts)
    )


CANDIDATES = {
    "ridge": ridge,
    "ridge, intercept": ridge_with_intercept,
    "whitened cosine": whitened_cosine,
    "balanced pooled sums": balanced_pooled,
    "LDA, ridge of the evidence": lda_of_ridge,
    "LDA, OAS": lda_oas,
    "ridge and LDA": blend,
}

"""Ridge regression from the sums: one Cholesky factor and all that follows from it.

Notation: G = gram (d, d), C = class_sum (K, d), N = class_count (K,), n = sum of N,
A = G + ridge I = L L' (Cholesky).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError
from scipy.linalg.lapack import dpotrf, dtrtrs

from ._once import once
from ._symmetric import read_only

# Part of a column's squared norm that rounding leaves four right digits of, or two: fewer, for
# useful ridges of single-precision sums lie lower.
SINGULAR = {"float64": 1e-12, "float32": 1e-5}
N_PROBES = 64  # for the trace of the inverse
PRIOR_ERROR = 0.01  # squared error that labels are taken to have at least, in all


class Evidence(NamedTuple):
    """What the marginal likelihood of the labels depends on; each term grows row by row.

    Every one-hot column y_c of the K seen classes is N(b_c 1, s^2 V), V = I + X X' / ridge, with
    its own mean b_c of flat prior and one noise variance s^2 for all, at its maximum likelihood.
    The columns add up to 1, which b explains: K - 1 count, on the n - 1 contrasts of the samples
    (1, where weights add up to less than 2). With the K x K residual matrix Q of the labels::

        Q    = Y' V^-1 Y = diag(N) - C A^-1 C'
        p    = 1'Q 1                                    (= 1' V^-1 1)
        quad = tr Q - |Q 1|^2 / p + prior_error
        m    = (n - 1) (K - 1)        s^2 = quad / m
        -2 log likelihood = m (log(2 pi s^2) + 1) + (K - 1) (log det V + log(p / n))

    so that the means cost no factorisation of their own. Without them a few samples of many
    classes are explained by the mean of the features, and the ridge comes out far too large.
    One class alone has nothing but its mean: b = 0 there. MacKay (1992), "Bayesian
    interpolation"; Rasmussen and Williams (2006), sections 2.7 and 5.4.

    Attributes
    ----------
    class_count : ndarray of shape (n_classes,)
        N; classes of count 0 do not matter.
    squared : ndarray of shape (...)
        tr Q: squared error of the ridge regression and its penalty.
    means : ndarray of shape (..., n_classes)
        Q 1.
    log_det : ndarray of shape (...)
        log det V = log det A - d log ridge.
    """

    class_count: np.ndarray
    squared: np.ndarray
    means: np.ndarray
    log_det: np.ndarray

    def log_likelihood(self, prior_error=PRIOR_ERROR):
        """In nats, of the shape of `squared`."""
        noise, left, n_free, n_targets = self._residual(prior_error)
        with np.errstate(divide="ignore"):
            log_det = self.log_det + np.log(left / self.class_count.sum())
        return -0.5 * n_targets * (n_free * (np.log(2 * np.pi * noise) + 1) + log_det)

    def noise_variance(self, prior_error=PRIOR_ERROR):
        """s^2, of the shape of `squared`."""
        return self._residual(prior_error)[0]

    def _residual(self, prior_error):
        """s^2, p and the two factors of m."""
        n, n_classes = self.class_count.sum(), np.count_nonzero(self.class_count)
        tiny = n * np.finfo(np.float64).eps
        quad, left, n_free, n_targets = self.squared, n, n, 1
        if n_classes > 1:
            left = np.maximum(self.means.sum(axis=-1), tiny)
            quad = quad - (self.means**2).sum(axis=-1) / left
            n_free, n_targets = max(n - 1, 1), n_classes - 1
        quad = np.maximum(quad, tiny) + prior_error
        return quad / (n_free * n_targets), left, n_free, n_targets


class RidgeFactor:
    """One Cholesky factorisation of G + ridge I.

    Parameters
    ----------
    statistics : ClassStatistics
    ridge : float
        Not negative.
    n_features : int, default=None
        Use the first columns only; None = all.

    Attributes
    ----------
    lower : ndarray of shape (n_features, n_features)
        L; what stands above the diagonal has no meaning.
    forward : ndarray of shape (n_features, n_classes)
        Z = L^-1 C'.

    Raises
    ------
    LinAlgError
        When the matrix is singular to working precision.

    Notes
    -----
    Everything comes from L and Z::

        coef         = C A^-1 = (L^-T Z)'
        log det A    = 2 sum_i log L_ii
        C A^-1 C'    = Z'Z

    The factor of the leading block of A is the leading block of L, and the same rows of
    Z belong to it: one factorisation serves every number of leading columns.
    """

    def __init__(self, statistics, ridge, n_features=None):
        d = statistics.n_features if n_features is None else n_features
        A = np.array(statistics.gram[:d, :d], dtype=np.float64, order="F")
        A[np.diag_indices(d)] += ridge
        squared_norm = A.diagonal().copy()
        self.ridge = float(ridge)
        self.lower, failed = dpotrf(A, lower=1, clean=0, overwrite_a=1)
        self.left = self.lower.diagonal() ** 2
        self.singular = SINGULAR[statistics.gram.dtype.name]
        if failed or self.is_singular(squared_norm):
            raise LinAlgError(
                f"ridge={ridge:.3g} is too small: the Gram matrix of {d} features is "
                "numerically singular; use ridge >= "
                f"{smallest_safe_ridge(statistics.gram.diagonal(), self.singular):.1g}"
                " or ridge='auto'."
            )
        self.class_count = statistics.class_count
        self.forward = self.whiten(statistics.class_sum[:, :d]).T

    def is_singular(self, squared_norm):
        """Whether a pivot is no more than the rounding of its column's squared norm.

        L_ii^2 is what the columns before column i leave of its squared norm in A.
        """
        return bool((self.left <= self.singular * squared_norm).any())

    def whiten(self, X):
        """Rows in the basis where (G + ridge I)^-1 is the identity.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        whitened : ndarray of shape (n_samples, n_features)
            (L^-1 X')': inner products of its rows are those of X under (G + ridge I)^-1.
        """
        return dtrtrs(self.lower, X.T, lower=1)[0].T

    def leverage(self, X):
        """x' A^-1 x of every row x.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        leverage : ndarray of shape (n_samples,)
        """
        return (self.whiten(X) ** 2).sum(axis=1)

    @once
    def whitened_probes(self):
        """L^-1 P of `random_signs`, of shape (n_features, N_PROBES)."""
        return self.whiten(random_signs(len(self.lower)).T).T

    def inverse_trace(self, n_features=None):
        """tr A^-1 of the first columns, as the mean of p' A^-1 p over `random_signs`."""
        return float((self.whitened_probes[:n_features] ** 2).sum() / N_PROBES)

    def coef(self, n_features=None):
        """Ridge coefficients of the first columns.

        Parameters
        ----------
        n_features : int, default=None
            None = all.

        Returns
        -------
        coef : ndarray of shape (n_classes, n_features)
            Zero for classes without samples.
        """
        d = len(self.lower) if n_features is None else n_features
        return dtrtrs(self.lower[:d, :d], self.forward[:d], lower=1, trans=1)[0].T

    def evidence(self, n_features=None):
        """What the marginal likelihood of the labels depends on.

        Parameters
        ----------
        n_features : int or sequence of int, default=None
            Number(s) of leading columns, increasing; None = all.

        Returns
        -------
        evidence : Evidence
        """
        sizes = np.atleast_1d(len(self.lower) if n_features is None else n_features)
        squared, means = self.class_count.sum(), self.class_count
        rows = []
        for start, stop in zip([0, *sizes[:-1]], sizes):
            Z = self.forward[start:stop]
            squared = squared - np.vdot(Z, Z)
            means = means - Z.T @ Z.sum(axis=1)
            rows.append((squared, means))
        squared, means = map(np.array, zip(*rows))
        with np.errstate(divide="ignore"):
            log_det = 2 * np.cumsum(np.log(self.lower.diagonal()))[sizes - 1]
            log_det -= sizes * np.log(self.ridge)
        one = 0 if np.ndim(n_features) == 0 else slice(None)
        return Evidence(self.class_count, squared[one], means[one], log_det[one])


@lru_cache(maxsize=2)
def random_signs(n_features):
    """Signs, always the same, whose products estimate traces: tr B is about tr P' B P / N_PROBES.

    Hutchinson (1990), "A stochastic estimator of the trace of the influence matrix"; for tr A^-1
    the relative error is about sqrt(2 / (N_PROBES n_features)). More columns begin with the same.
    """
    return read_only(np.random.RandomState(0).choice([-1.0, 1.0], (n_features, N_PROBES)))


def smallest_safe_ridge(squared_norm, singular=SINGULAR["float64"]):
    """A ridge at which the Cholesky factorisation is sure to succeed.

    Parameters
    ----------
    squared_norm : ndarray of shape (n_features,)
        Diagonal of the Gram matrix.
    singular : float
        Part of it that rounding hides.

    Returns
    -------
    ridge : float
        1e-11 times the largest diagonal entry; 1e-4 times that of sums in single precision.
    """
    return float(10 * singular * squared_norm.max()) or 1.0

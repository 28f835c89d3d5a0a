"""Gaussian classes with Gaussian means, from the sums and ridge coefficients alone."""

from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtrs

from ._readout import LinearRule
from ._ridge import N_PROBES, random_signs
from ._temperature import inverse_temperature, lead, ridge_lead


def gaussian_rule(coef, class_sum, class_count, ridge, inverse_trace, noise_variance, gram):
    """Log density of a sample in every class, up to a constant.

    Parameters
    ----------
    coef : ndarray of shape (n_classes, n_features)
        Ridge coefficients W = C A^-1 with A = G + ridge I.
    class_sum : ndarray of shape (n_classes, n_features)
        C.
    class_count : ndarray of shape (n_classes,)
        N; positive.
    ridge : float
    inverse_trace : float
        tr A^-1, see `RidgeFactor.inverse_trace`.
    noise_variance : float
        Of one-hot labels around the ridge regression, see ``Evidence``.
    gram : ndarray of shape (n_features, n_features)
        G; read where there are more classes than features.

    Returns
    -------
    LinearRule
        Without the logarithms of the classes' shares.

    Notes
    -----
    The two-covariance model ([1]_, [2]_): x in class c is N(mu_c, S) and mu_c is N(m, phi S). Given
    the N_c samples of a class of mean m_c, a new one is N(m + a_c (m_c - m), v_c S) with

        a_c = phi N_c / (phi N_c + 1)        v_c = 1 + phi / (phi N_c + 1)

    The scatter of the samples around the class means tells S, and so do the class means
    themselves, each as much as one sample of covariance (phi + 1 / N_c) S. With the ridge, and
    w_c = N_c / (phi N_c + 1)::

        nu S = sum_i (x_i - m_c)(x_i - m_c)' + sum_c w_c (m_c - m)(m_c - m)' + ridge I
             = A - M' diag(N - w) M - |w| m m'        M = N^-1 C        m = M'w / |w|

    which moves with no shift of the features. With fewer classes than features its inverse comes
    from that of A by a matrix of K x K (Woodbury), else it is formed.
    The degrees of freedom and the effective number of features are::

        gamma = tr (nu S)^-1 (nu S - ridge I)        nu = n - 1 - gamma

    A new sample has E (x - mu)' S^-1 (x - mu) = gamma, and phi comes from the lengths
    q_c = (m_c - m)' S^-1 (m_c - m), each with S of the other classes: E q_c =
    gamma (phi + 1 / N_c) (1 - w_c / |w|).
    Weights that add up to less than one sample a class are multiplied until they do, for so few
    samples tell no covariance.

    The density is linear in x once its quadratic term is replaced by its mean, gamma (1 + phi).
    Real classes differ in covariance and have tails, so that it is too sure: see
    ``_temperature``.

    References
    ----------
    .. [1] Ioffe, "Probabilistic linear discriminant analysis", ECCV 2006.
    .. [2] Prince and Elder, "Probabilistic linear discriminant analysis for inferences about
       identity", ICCV 2007.
    """
    N, d = class_count, coef.shape[1]
    if (times := len(N) / N.sum()) > 1 + 1e-9:
        sums = class_sum * times, N * times, ridge * times, inverse_trace / times
        return gaussian_rule(coef, *sums, noise_variance, gram * times)
    means, ridge_means = class_sum / N[:, np.newaxis], coef / N[:, np.newaxis]
    if len(N) <= d:
        inverse = _by_classes(means, ridge_means, inverse_trace)
    else:
        inverse = _by_features(means, gram, ridge)
    phi = _between_over_within(N, d, ridge, inverse)
    fit = _Scatter(phi, N, d, ridge, inverse)
    a, v = phi * N / (phi * N + 1), 1 + phi / (phi * N + 1)
    m = fit.weights @ means
    rule = fit.solve()
    rule *= (fit.nu * a / v)[:, np.newaxis]
    quadratic = fit.gamma * (1 + phi) + a**2 * fit.nu * fit.length
    intercept = -0.5 * (quadratic / v + fit.gamma * np.log(v)) - rule @ m
    sure = inverse_temperature(
        lead(rule, class_sum, N),
        ridge_lead(coef, class_sum, N, noise_variance),
        *_gap_and_variance(rule, a[:, np.newaxis] * (means - m), v, ridge, fit),
    )
    rule *= sure
    return LinearRule(rule, sure * intercept)


_STEPS = 4  # of the secant method: phi is right to a thousandth
_LARGEST_PHI = 1e3
_TINY = 1e-9


def _between_over_within(*of):
    """phi: where its estimate from the lengths of the class means, given phi, is phi itself."""

    def change(log_phi):
        return np.log(_Scatter(np.exp(log_phi), *of).estimated_phi()) - log_phi

    at, by, slope = 0.0, change(0.0), -1.0
    for _ in range(_STEPS - 1):
        to = at - by / slope
        to_by = change(to)
        if to != at:
            # The estimate grows with phi, but less.
            slope = np.clip((to_by - by) / (to - at), -1.0, -0.2)
        at, by = to, to_by
    return float(np.exp(at - by / slope))


class _Scatter:
    """nu S at one phi: gamma, nu and the lengths (m_c - m)' (nu S)^-1 (m_c - m).

    |w| m m' is taken out of the inverse by Sherman and Morrison: with P the inverse of
    A - M' diag(N - w) M, u = M P m and s = m' P m::

        (nu S)^-1 = P + t P m m' P        t = |w| / (1 - |w| s)
    """

    def __init__(self, phi, N, n_features, ridge, inverse):
        self.N, self.w = N, N / (phi * N + 1)
        total = self.w.sum()
        self.weights = self.w / total
        self.inverse = inverse(N - self.w, self.weights)
        s = self.weights @ self.inverse.along
        self.from_mean = self.inverse.along - s
        self.t = total / max(1 - total * s, _TINY)
        self.length = self.inverse.lengths - 2 * self.inverse.along + s
        self.length += self.t * self.from_mean**2
        probed = self.weights @ self.inverse.probed
        trace = self.inverse.trace + self.t * np.vdot(probed, probed) / N_PROBES
        free = max(N.sum() - 1, _TINY)
        self.gamma = float(np.clip(n_features - ridge * trace, _TINY, free))
        self.nu = max(free - self.gamma, _TINY)

    def estimated_phi(self):
        """phi from the lengths, each with the covariance of the other classes.

        m is estimated, too, so that E q_c = gamma (phi + 1 / N_c) (1 - w_c / |w|). Not below its
        standard error, were it 0: few classes do not say that means are equal.
        """
        alone = self.length / np.maximum(1 - self.w * self.length, _TINY)
        left = np.maximum(1 - self.weights, _TINY)
        share = self.w**2 * left / (self.w**2 @ left)
        noise = share @ (1 / self.N)
        phi = share @ (alone * self.nu / self.gamma / left) - noise
        least = noise * np.sqrt(2 * (share @ share) / self.gamma)
        return float(np.clip(phi, least, _LARGEST_PHI))

    def solve(self):
        """(M - 1 m') (nu S)^-1."""
        rows = self.inverse.solve()
        rows += np.outer(self.t * self.from_mean - 1, self.weights @ rows)
        return rows


class _Inverse(NamedTuple):
    """P = (A - M' diag(D) M)^-1 between the class means and along some weights.

    Attributes
    ----------
    lengths : ndarray of shape (n_classes,)
        Diagonal of M P M'.
    along : ndarray of shape (n_classes,)
        M P M' weights.
    probed : ndarray of shape (n_classes, N_PROBES)
        M P times `random_signs`.
    trace : float
        tr P.
    solve : callable
        Gives M P, of shape (n_classes, n_features).
    """

    lengths: np.ndarray
    along: np.ndarray
    probed: np.ndarray
    trace: float
    solve: object


def _by_classes(means, ridge_means, inverse_trace):
    """P of any D and weights from K x K matrices.

    With R = M A^-1 M' and F = D^1/2 (I - D^1/2 R D^1/2)^-1 D^1/2::

        P = A^-1 + A^-1 M' F M A^-1        M P = (I + R F) M A^-1
    """
    R = ridge_means @ means.T
    R = (R + R.T) / 2
    # By the signs that tr A^-1 comes from: so the mean of the features has no part in the sum.
    probed = ridge_means @ random_signs(means.shape[1])

    def inverse(D, weights):
        root = np.sqrt(D)[:, np.newaxis]
        lower = dpotrf(np.eye(len(R)) - root * R * root.T, lower=1)[0]
        half, half_probed = (dtrtrs(lower, root * part, lower=1)[0] for part in (R, probed))

        def solve():
            back = dtrtrs(lower, half, lower=1, trans=1)[0] * root
            return ridge_means + back.T @ ridge_means

        return _Inverse(
            R.diagonal() + (half**2).sum(axis=0),
            R @ weights + half.T @ (half @ weights),
            probed + half.T @ half_probed,
            inverse_trace + np.vdot(half_probed, half_probed) / N_PROBES,
            solve,
        )

    return inverse


def _by_features(means, gram, ridge):
    """The same from a d x d matrix of its own."""
    d = len(gram)

    def inverse(D, weights):
        lower = dpotrf(gram + ridge * np.eye(d) - (means.T * D) @ means, lower=1)[0]
        half, half_probed = (dtrtrs(lower, part, lower=1)[0] for part in (means.T, random_signs(d)))
        return _Inverse(
            (half**2).sum(axis=0),
            half.T @ (half @ weights),
            half.T @ half_probed,
            np.vdot(half_probed, half_probed) / N_PROBES,
            lambda: dtrtrs(lower, half, lower=1, trans=1)[0].T,
        )

    return inverse


def _gap_and_variance(rule, shrunk, v, ridge, fit):
    """Of `inverse_temperature`; rule nu S = nu shrunk / v."""
    excess = rule - rule.mean(axis=0)
    along = np.einsum("ij,ij->i", excess, shrunk)
    scatter = fit.nu * (along / v).sum() - ridge * np.vdot(excess, excess)
    return along.sum(), scatter * (fit.nu + fit.gamma) / fit.nu**2

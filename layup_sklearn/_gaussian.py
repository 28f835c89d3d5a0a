"""Gaussian classes with Gaussian means, from the sums and ridge coefficients alone."""

import numpy as np

from ._readout import LinearRule
from ._ridge import N_PROBES, random_signs


def gaussian_rule(coef, class_sum, class_count, ridge, inverse_trace, noise_variance):
    """Log density of a sample in every class, up to a constant.

    Parameters
    ----------
    coef : ndarray of shape (n_classes, n_features)
        Ridge coefficients W = C (G + ridge I)^-1.
    class_sum : ndarray of shape (n_classes, n_features)
        C.
    class_count : ndarray of shape (n_classes,)
        N; positive.
    ridge : float
    inverse_trace : float
        tr (G + ridge I)^-1, see `RidgeFactor.inverse_trace`.
    noise_variance : float
        Of one-hot labels around the ridge regression, see ``Evidence``.

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
    themselves, each as much as one sample of covariance (phi + 1 / N_c) S. With the ridge::

        nu S = sum_i (x_i - m_c)(x_i - m_c)' + sum_c N_c (m_c - m)(m_c - m)' / (phi N_c + 1) + ridge I
             = A - M'E M        M = N^-1 C        E = N - J' N / (phi N + 1) J        J M = M - 1 m'

    which moves with no shift of the features. All follows from W and K x K matrices::

        R = M A^-1 M'        M (nu S)^-1 = (I - R E)^-1 N^-1 W        M (nu S)^-1 M' = (I - R E)^-1 R
        gamma = tr (nu S)^-1 (nu S - ridge I)        nu = n - 1 - gamma

    A new sample has E (x - mu)' S^-1 (x - mu) = gamma, the effective number of features, and phi comes
    from the lengths q_c = (m_c - m)' S^-1 (m_c - m), each with S of the other classes:
    E q_c = gamma (phi + 1 / N_c). The density is linear in x once its quadratic term is replaced by
    its mean, gamma (1 + phi).

    Gaussians in many dimensions are too sure. The log density is multiplied by the geometric mean
    of two factors: 1 - gamma / (n - 1), which is lost to estimating S, and the one that gives
    it the variance of ridge scores over the scale of their noise (see `label_probabilities`).

    References
    ----------
    .. [1] Ioffe, "Probabilistic linear discriminant analysis", ECCV 2006.
    .. [2] Prince and Elder, "Probabilistic linear discriminant analysis for inferences about
       identity", ICCV 2007.
    """
    N, n, d = class_count, class_count.sum(), coef.shape[1]
    means, ridge_means = class_sum / N[:, np.newaxis], coef / N[:, np.newaxis]
    # By the signs that tr A^-1 comes from: so the mean of the features has no part in the sum.
    probed = ridge_means @ random_signs(d)
    R = ridge_means @ means.T
    products = (R + R.T) / 2, probed @ probed.T / N_PROBES
    phi = 1.0
    for _ in range(_ITERATIONS):
        phi = _between_over_within(phi, N, _covariance(phi, N, *products, inverse_trace, ridge, d))
    gamma, length, inverse = _covariance(phi, N, *products, inverse_trace, ridge, d)
    nu = max(n - 1 - gamma, _TINY)
    a, v = phi * N / (phi * N + 1), 1 + phi / (phi * N + 1)
    B = (nu * a / v)[:, np.newaxis] * inverse
    rule, m = B @ ridge_means, np.average(means, axis=0, weights=N / (phi * N + 1))
    quadratic = gamma * (1 + phi) + a**2 * nu * length
    intercept = -0.5 * (quadratic / v + gamma * np.log(v)) - rule @ m
    moments = _score_moments(ridge_means, class_sum, N, ridge)
    scale = np.sqrt(3 * noise_variance) / np.pi
    sure = _sureness(B, _centred_ridge(products[0], N) / scale, moments, gamma / max(n - 1, _TINY))
    return LinearRule(sure * rule, sure * intercept)


_ITERATIONS = 6  # phi moves by less than a percent in the last one
_TINY = 1e-9


def _covariance(phi, N, R, squares, inverse_trace, ridge, d):
    """gamma, (m_c - m)' (nu S)^-1 (m_c - m), and J (I - R E)^-1 of `gaussian_rule`."""
    w, n = N / (phi * N + 1), N.sum()
    J = np.eye(len(N)) - w / w.sum()
    E = np.diag(N) - J.T * w @ J
    inverse = np.linalg.inv(np.eye(len(N)) - R @ E)
    trace = inverse_trace + np.vdot(E, inverse @ squares)
    gamma = float(np.clip(d - ridge * trace, _TINY, max(n - 1, _TINY)))
    return gamma, (J @ inverse @ R @ J.T).diagonal(), J @ inverse


def _between_over_within(phi, N, covariance):
    """phi from the lengths of the class means, each with the covariance of the other classes."""
    gamma, length, _ = covariance
    w, nu = N / (phi * N + 1), max(N.sum() - 1 - gamma, _TINY)
    alone = length / np.maximum(1 - w * length, _TINY)
    return float(np.clip(np.average(alone * nu / gamma - 1 / N, weights=w**2), 1e-3, 1e3))


def _centred_ridge(R, N):
    """B such that B M A^-1 are the coefficients of ridge regression with an intercept."""
    shares = N / N.sum()
    inverse = np.linalg.inv(np.eye(len(N)) - R @ np.outer(N, shares))
    return N[:, np.newaxis] * (np.eye(len(N)) - shares) @ inverse


def _score_moments(ridge_means, class_sum, N, ridge):
    """Centred second moments of the samples' scores M A^-1 x, summed over the samples."""
    H = ridge_means @ class_sum.T
    total = H.sum(axis=1)
    squares = H / N - ridge * ridge_means @ ridge_means.T
    return (squares + squares.T) / 2 - np.outer(total, total) / N.sum()


def _sureness(B, aligned, moments, lost):
    """Factor of the log density of scores B M A^-1 x; 1 where classes cannot be told.

    Parameters
    ----------
    B : ndarray of shape (n_classes, n_classes)
    aligned : ndarray of shape (n_classes, n_classes)
        The same of ridge scores over the scale of their noise.
    moments : ndarray of shape (n_classes, n_classes)
    lost : float
        Part of the degrees of freedom that the covariance has taken.
    """

    def spread(B):
        B = B - B.mean(axis=0)
        return np.vdot(B @ moments, B)

    ours = spread(B)
    if not ours > 0 or not lost < 1:
        return 1.0
    return float(np.sqrt(np.sqrt(max(spread(aligned), 0) / ours) * (1 - lost))) or 1.0

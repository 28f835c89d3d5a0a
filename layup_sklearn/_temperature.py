"""How far scores can be believed, from the sums: the temperature of probabilities."""

import numpy as np

_TINY = 1e-9


def noise_temperature(noise_variance):
    """The temperature of ridge scores.

    Parameters
    ----------
    noise_variance : float
        Variance s^2 of a one-hot label around its prediction; positive.

    Returns
    -------
    temperature : float
        T = sqrt(3) s / pi. A logistic variable of scale T has variance (pi T)^2 / 3 = s^2: between
        two classes, the probability is that of a logistic noise of standard deviation s not to
        turn their scores round. One T for all samples keeps the order of the scores within
        and between samples.
    """
    return np.sqrt(3 * noise_variance) / np.pi


def lead(coef, class_sum, N):
    """What samples score in their own class more than is common to all, summed over the samples.

    Parameters
    ----------
    coef : ndarray of shape (n_classes, n_features)
        Of scores x coef'.
    class_sum : ndarray of shape (n_classes, n_features)
    N : ndarray of shape (n_classes,)
        Numbers of samples.
    """
    return np.vdot(coef, class_sum) - N @ coef @ class_sum.sum(axis=0) / N.sum()


def ridge_lead(coef, class_sum, N, noise_variance):
    """The same of ridge regression with an intercept, at the temperature of its noise.

    Parameters
    ----------
    coef : ndarray of shape (n_classes, n_features)
        Without the intercept: C A^-1.
    class_sum, N : ndarray
    noise_variance : float

    Notes
    -----
    With an intercept A loses n m m', m the mean of all samples (Sherman and Morrison).
    """
    n, mean = N.sum(), class_sum.sum(axis=0) / N.sum()
    along = coef.sum(axis=0) / n  # m' A^-1
    times = (coef @ mean - N * (along @ mean)) / max(1 / n - along @ mean, _TINY / n) - N
    # of coef + outer(times, along), which is not formed
    of_rest = times @ (class_sum @ along) - (N @ times) * (along @ mean)
    return (lead(coef, class_sum, N) + of_rest) / noise_temperature(noise_variance)


def inverse_temperature(lead, ridge_lead, gap, variance):
    """The factor of log densities.

    Parameters
    ----------
    lead, ridge_lead : float
        Of the log densities, and of ridge regression.
    gap, variance : float
        Distance between two classes in log density, and its variance within one, for new
        samples; each the mean over all pairs. They are equal for Gaussians that are known.

    Returns
    -------
    factor : float
        1 where classes cannot be told.

    Notes
    -----
    gap / variance makes up for S being an estimate, and for the directions in which the
    ridge is larger than the scatter. How far the classes are from Gaussians of one covariance it
    cannot know, for second moments do not tell; many samples of photographs want .2 to .9
    of it. ridge_lead / lead is the factor at which the log densities lead as far as ridge
    scores do, whose noise was measured on the real labels. The geometric mean of the two, with
    weights 1/4 and 3/4, was best over benchmarks/results/readout.md.
    """
    if min(lead, ridge_lead, gap, variance) <= 0:
        return 1.0
    return float((ridge_lead / lead) ** 0.75 * (gap / variance) ** 0.25)

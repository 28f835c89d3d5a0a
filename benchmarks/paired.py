"""Which of two methods is better on the same test samples: exact tests of the pairs that differ."""

import numpy as np
from scipy.stats import binomtest

LEVEL = 0.05


def mcnemar(first, second):
    """p-value of the exact McNemar test that two methods are right equally often.

    Parameters
    ----------
    first, second : ndarray of shape (n_test,), bool
        Whether each test sample was labelled rightly.

    Returns
    -------
    p_value : float
        Two-sided; 1.0 where the methods are right on the same samples.

    Notes
    -----
    Of the n samples on which just one is right, the number on which it is the first is binomial
    (n, 1/2) when both are equally good (McNemar, Psychometrika 12, 1947).
    """
    only_first, only_second = np.sum(first & ~second), np.sum(second & ~first)
    n = int(only_first + only_second)
    return float(binomtest(int(only_first), n).pvalue) if n else 1.0


def holm(p_values):
    """p-values that hold for all of several tests together (Holm, Scand. J. Statist. 6, 1979)."""
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1.0)
    return adjusted


def verdicts(correct, reference):
    """How each method compares with the reference on the same test samples.

    Parameters
    ----------
    correct : dict of str to ndarray of shape (n_test,), bool
    reference : str
        Name of the method that all others are compared with.

    Returns
    -------
    verdicts : dict of str to {"better", "worse", "equal"}
        "equal" is what the samples cannot tell apart at 5 %, Holm's correction included.
    """
    if reference not in correct:
        return {}
    ours = correct[reference]
    peers = [name for name in correct if name != reference]
    adjusted = holm([mcnemar(correct[name], ours) for name in peers])
    told = {
        name: "better" if correct[name].sum() > ours.sum() else "worse"
        for name, p_value in zip(peers, adjusted)
        if p_value <= LEVEL
    }
    return {name: told.get(name, "equal") for name in peers}

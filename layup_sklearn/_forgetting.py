"""What is left of the sums when samples go, if they can have been there."""

import warnings

import numpy as np
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpotrf

from ._labels import union_of_labels
from ._statistics import ClassStatistics
from ._symmetric import read_only


def check_known(classes, y):
    """Raise for labels that were never learned."""
    unknown = np.setdiff1d(union_of_labels(classes, y), classes)
    if len(unknown):
        raise ValueError(
            f"Label {unknown.tolist()[0]!r} was never learned and cannot be forgotten."
        )


def without_samples(before, after):
    """The sums that are left, without the classes that lost their last sample.

    Parameters
    ----------
    before, after : ClassStatistics
        Over the same classes; `after` is `before` less some samples.

    Returns
    -------
    statistics : ClassStatistics

    Raises
    ------
    ValueError
        When `after` are not the sums of any samples.

    Notes
    -----
    With G, C and N the Gram matrix, class sums and counts, the rows [x, onehot(y)] of samples
    of weight >= 0 have a positive semi-definite Gram matrix [[G, C'], [C, diag(N)]]. That is so
    if N >= 0 and the within-class scatter G - C' N^-1 C is positive semi-definite. Every
    diagonal entry gets t times what it was before, with t = 1e-8 (1e-2 in single precision)
    well above the rounding of the sums, and one Cholesky factorisation decides: every removal
    of what was learned passes, and what fails cannot have been there. Not every foreign row can
    be told: from positive definite sums any row of leverage x' G^-1 x < 1 can be taken, and so
    can a row of another class.

    A count is zero when it is, or when it is not a whole number and below sqrt(eps) times
    what it was: the rounding of fractional weights.
    """
    eps = np.finfo(before.gram.dtype).eps
    count = _count_left(before, after, eps)
    slack = max(1e5 * eps, 1e-8)
    if not _is_possible(before, after, count, slack):
        raise ValueError(
            "These samples cannot have been learned: without them the Gram matrix would not be "
            "positive semi-definite. Forget samples with the X, y and sample_weight they had."
        )
    _warn_of_rounding(before, after, count, eps)
    gram = after.gram
    if (after.squared_norm < 0).any():
        gram = gram.copy(order="F")
        gram[np.diag_indices(len(gram))] = np.maximum(gram.diagonal(), 0)
    left = ClassStatistics(after.classes, read_only(gram), after.class_sum, count)
    return left.with_classes(after.classes[(count > 0) | (before.class_count == 0)])


def _count_left(before, after, eps):
    count, old = after.class_count.copy(), before.class_count
    count[(np.abs(count) <= np.sqrt(eps) * old) & (count != np.rint(count))] = 0
    if (count < 0).any():
        short = np.argmin(count)
        raise ValueError(
            f"Class {before.classes.tolist()[short]!r} has samples of weight {old[short]:g}, "
            f"fewer than the {old[short] - count[short]:g} to be forgotten."
        )
    if not count.any():
        raise ValueError(
            "No sample would be left: to forget everything, start anew with sklearn.base.clone."
        )
    return count


def _is_possible(before, after, count, slack):
    """Whether some samples have these sums, up to a part `slack` of those before."""
    tiny = np.finfo(before.gram.dtype).tiny
    old = before.squared_norm
    allowed = slack * old + tiny
    if not (after.squared_norm >= -allowed).all():  # false for NaN, too
        return False
    scatter = np.array(after.gram, dtype=np.float64, order="F")
    means = after.class_sum / np.sqrt(count + slack * before.class_count + tiny)[:, np.newaxis]
    dsyrk(-1.0, means.astype(np.float64).T, beta=1.0, c=scatter, lower=1, overwrite_c=1)
    scatter[np.diag_indices(len(scatter))] += np.where(old > 0, allowed, 1)
    return dpotrf(scatter, lower=1, clean=0, overwrite_a=1)[1] == 0


def _warn_of_rounding(before, after, count, eps):
    """Samples far larger than the rest take its last digits with them.

    The class sums bound the squared norm of a column from below and, not being squared, lose
    their digits later. What they say must not drown in the rounding of the Gram matrix, unless
    it is rounding itself.
    """
    sums = after.class_sum[count > 0].astype(np.float64)
    bound = (sums**2 / count[count > 0, np.newaxis]).sum(axis=0)
    rounding = eps * before.squared_norm
    lost = (bound < 100 * rounding) & (bound > 1e4 * eps * rounding)
    if lost.any():
        warnings.warn(
            f"What is left in {lost.sum()} column(s), the first of them column {lost.argmax()}, is "
            "no more than the rounding of what was: samples were forgotten that were far larger "
            "than the rest. Learn the rest anew.",
            stacklevel=3,
        )

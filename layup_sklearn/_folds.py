"""The choice of the ridge, and of the number of leading columns, by folds of a batch."""

from itertools import chain

import numpy as np
from scipy.linalg import LinAlgError

from ._choice import RidgeChoice, grid_ridge, grid_step, scales_of
from ._readout import with_shares
from ._ridge import RidgeFactor
from ._rules import linear_rule

_BELOW, _ABOVE = 1e8, 100  # how far from the scale of the features candidates lie


def choose_by_folds(
    statistics, X, y, sample_weight, splits, n_features, ridges=None, rule="ridge", priors=None
):
    """The ridge, and the number of leading columns, of largest accuracy on folds.

    The sums of each fold's training rows are added to those of all earlier samples, as
    in the paper; the first of equally good candidates wins.

    Parameters
    ----------
    statistics : ClassStatistics
        Of all earlier samples, over all classes.
    X : ndarray of shape (n_samples, n_features)
        The newest batch.
    y : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,)
    splits : iterable of (train, test)
        Index arrays.
    n_features : list of int
        Numbers of leading columns to choose from.
    ridges : sequence of float, default=None
        None: half decades from 100 to 1e-8 times the scale of the features, or of each of
        their kinds (see `choose_by_evidence`).
    rule : {"gaussian", "ridge"}
        What labels the held-out rows.
    priors : None, "uniform" or mapping of label -> share
        For the Gaussian rule.

    Returns
    -------
    RidgeChoice

    Raises
    ------
    LinAlgError
        When every ridge is too small in some fold.
    """
    if ridges is None:
        ridges = _candidates(statistics, X, sample_weight)
    folds = [
        _accuracy_on_fold(statistics, X, y, sample_weight, split, n_features, ridges, rule, priors)
        for split in splits
    ]
    accuracy = np.mean(folds, axis=0)
    row, column = np.unravel_index(accuracy.argmax(), accuracy.shape)
    scores = [
        (d, float(ridge), float(accuracy[i, j]))
        for i, d in enumerate(n_features)
        for j, ridge in enumerate(ridges)
    ]
    return RidgeChoice(float(ridges[column]), n_features[row], None, scores)


def _candidates(statistics, X, sample_weight):
    """Grid points around the scales of the features, the largest first."""
    rows = X * np.sqrt(sample_weight)[:, np.newaxis]
    squares = statistics.squared_norm + np.einsum("ij,ij->j", rows, rows, dtype=np.float64)
    total = statistics.total + sample_weight @ X
    scales = scales_of(squares, total, statistics.n_samples + sample_weight.sum())
    around = (
        range(grid_step(median / _BELOW), grid_step(median * _ABOVE) + 1) for _, median, _ in scales
    )
    return [grid_ridge(step) for step in sorted(set(chain(*around)), reverse=True)]


def _accuracy_on_fold(statistics, X, y, weight, split, n_features, ridges, rule, priors):
    """Array of shape (n_numbers_of_columns, n_ridges); -inf where a ridge is too small."""
    train, test = split
    fold = statistics.add_samples(X[train], y[train], weight[train])
    held_out = X[test].astype(np.float64)
    accuracy = np.full((len(n_features), len(ridges)), -np.inf)
    for column, ridge in enumerate(ridges):
        try:
            factor = RidgeFactor(fold, ridge, n_features[-1])
        except LinAlgError:
            if ridge == max(ridges):
                raise
            continue
        for row, d in enumerate(n_features):
            found = linear_rule(rule, factor, factor.evidence(d), fold.class_sum, fold.gram, d)
            if rule == "gaussian":
                found = with_shares(found, priors, fold.classes, fold.class_count)
            scores = found.scores(held_out[:, :d], fold.class_count > 0)
            correct = fold.classes[scores.argmax(axis=1)] == y[test]
            accuracy[row, column] = np.average(correct, weights=weight[test])
    return accuracy

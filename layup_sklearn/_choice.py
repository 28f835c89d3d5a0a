"""The choice of the ridge, and of the number of leading columns: by evidence, by folds."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError

from ._ridge import RidgeFactor

#: The 16 candidates of the paper (with ``cv=4``: its whole procedure).
PAPER_RIDGES = (*np.logspace(-4, 3, 15).tolist(), 1e-8)

STEPS_PER_DECADE = 2  # of the grid of ridges, which are powers of ten
_FLAT = 1e-3  # log evidence: a plateau is not worth a smaller ridge


@dataclass(frozen=True, eq=False)
class RidgeChoice:
    """The candidate that won, and what it won against.

    Attributes
    ----------
    ridge : float
    n_features : int
        Number of leading columns.
    factor : RidgeFactor or None
        Of the chosen ridge, where it was computed on the way.
    scores : list of (n_features, ridge, score)
        Everything tried; singular candidates score -inf.
    """

    ridge: float
    n_features: int
    factor: RidgeFactor | None
    scores: list


def choose_by_evidence(sums, n_features, ridges=None, factor_of=RidgeFactor):
    """The ridge, and the number of leading columns, of largest evidence.

    Parameters
    ----------
    sums : ClassStatistics, or whatever `factor_of` takes
        Has `squared_norm`.
    n_features : list of int
        Increasing numbers of leading columns to choose from.
    ridges : sequence of float, default=None
        Candidates; None searches all ridges.
    factor_of : callable, default=RidgeFactor
        ``factor_of(sums, ridge, n_features)`` gives a factor of the leading columns.

    Returns
    -------
    RidgeChoice

    Raises
    ------
    LinAlgError
        When the Gram matrix is singular at every one of ``ridges``.

    Notes
    -----
    The search walks on a grid of half decades, which is the same for all features, from
    the scale of the features to the next maximum, towards smaller ridges first. It starts
    anew each time, not at an earlier ridge, so that the choice depends on the sums alone and
    not on the calls that led to them. Where samples are fewer than features and some are
    exact duplicates, the evidence grows without bound as ridge -> 0 (labels without noise):
    hence from above, and with a prior squared error of 0.01 in all, which matters only for
    labels fitted to that.
    """
    tried = _Tried(sums, n_features, factor_of)
    if ridges is None:
        _search(tried)
    else:
        for ridge in ridges:
            tried.log_evidence(ridge)
        if tried.best is None:
            factor_of(sums, max(ridges), n_features[-1])  # raises
    curve = tried.curves[tried.best.ridge]
    return RidgeChoice(
        tried.best.ridge, n_features[np.argmax(curve)], tried.best, tried.scores()
    )


class _Tried:
    """Log evidence at ridges, for every number of columns, each evaluated once."""

    def __init__(self, sums, n_features, factor_of):
        self.sums, self.n_features, self.factor_of = sums, n_features, factor_of
        self.curves = {}  # ridge -> log evidence of every number of columns
        self.best = None  # the factor of largest evidence: others are not kept

    def log_evidence(self, ridge):
        """The largest over the numbers of columns; -inf where the matrix is singular."""
        ridge = float(ridge)
        if ridge not in self.curves:
            self.curves[ridge] = self._evaluate(ridge)
        return self.curves[ridge].max()

    def _evaluate(self, ridge):
        try:
            factor = self.factor_of(self.sums, ridge, self.n_features[-1])
        except LinAlgError:
            return np.full(len(self.n_features), -np.inf)
        columns = None if len(self.n_features) == 1 else self.n_features
        curve = np.atleast_1d(factor.evidence(columns).log_likelihood())
        if self.best is None or curve.max() > self.curves[self.best.ridge].max():
            self.best = factor
        return curve

    def scores(self):
        return [
            (d, ridge, float(score))
            for ridge, curve in self.curves.items()
            for d, score in zip(self.n_features, curve)
        ]


def _search(tried):
    """Evaluate grid points uphill from the scale of the features to the next maximum."""
    trace = tried.sums.squared_norm[: tried.n_features[-1]].sum() or 1.0
    start, highest = (round(STEPS_PER_DECADE * np.log10(trace * t)) for t in (1e-4, 1e4))

    def log_evidence(step):
        return tried.log_evidence(10.0 ** (step / STEPS_PER_DECADE))

    step = start
    while log_evidence(step - 1) > log_evidence(step) + _FLAT:
        step -= 1
    if step == start:
        while step < highest and log_evidence(step + 1) > log_evidence(step) - _FLAT:
            step += 1
    if edge := _edge(tried, step >= highest, log_evidence(step - 1) == -np.inf):
        ridge = 10.0 ** (step / STEPS_PER_DECADE)
        warnings.warn(edge.format(ridge), stacklevel=2)


def _edge(tried, at_largest, at_smallest):
    """What to say where the evidence has no maximum inside."""
    count = tried.best.evidence().class_count
    if at_smallest:
        return (
            "The evidence is highest at the smallest ridge that is searched, {:.3g}: the features "
            "tell the labels without error."
        )
    # with fewer than two samples a class the largest ridge is expected: do not warn
    if at_largest and count.sum() >= 2 * (count > 0).sum():
        return (
            "The evidence is highest at the largest ridge that is searched, {:.3g}: the features "
            "tell little about the labels."
        )
    return None


def choose_by_folds(statistics, X, y, sample_weight, splits, n_features, ridges=None):
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
        None: 21 candidates from 100 to 1e-8 times the mean squared norm of the columns.

    Returns
    -------
    RidgeChoice

    Raises
    ------
    LinAlgError
        When every ridge is too small in some fold.
    """
    if ridges is None:
        squares = np.einsum("ij,ij,i->j", X, X, sample_weight) + statistics.squared_norm
        ridges = (squares.mean() or 1.0) * np.logspace(2, -8, 21)
    folds = [
        _accuracy_on_fold(statistics, X, y, sample_weight, split, n_features, ridges)
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


def _accuracy_on_fold(statistics, X, y, weight, split, n_features, ridges):
    """Array of shape (n_numbers_of_columns, n_ridges); -inf where a ridge is too small."""
    train, test = split
    fold = statistics.add_samples(X[train], y[train], weight[train])
    seen = fold.class_count > 0
    classes, held_out = fold.classes[seen], X[test].astype(np.float64)
    accuracy = np.full((len(n_features), len(ridges)), -np.inf)
    for column, ridge in enumerate(ridges):
        try:
            factor = RidgeFactor(fold, ridge, n_features[-1])
        except LinAlgError:
            if ridge == max(ridges):
                raise
            continue
        for row, d in enumerate(n_features):
            scores = held_out[:, :d] @ factor.coef(d)[seen].T
            correct = classes[scores.argmax(axis=1)] == y[test]
            accuracy[row, column] = np.average(correct, weights=weight[test])
    return accuracy

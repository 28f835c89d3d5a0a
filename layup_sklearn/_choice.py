"""The choice of the ridge, and of the number of leading columns, by evidence."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError

from ._ridge import RidgeFactor

#: The 16 candidates of the paper (with ``cv=4``: its whole procedure).
PAPER_RIDGES: tuple[float, ...] = (*np.logspace(-4, 3, 15).tolist(), 1e-8)

STEPS_PER_DECADE = 2  # of the grid of ridges, which are powers of ten
_FLAT = 0.1  # nats of log evidence that are not worth another factorisation
# How far below the scale of the small columns, and above that of the median one, to search. Far
# below, exact duplicates among few samples look like labels without noise, and the evidence grows
# without bound; far above, it says no more than that samples are few.
_BELOW, ABOVE = 10, 100
_GAP = 1e3  # between the variances of columns of two kinds


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


def choose_by_evidence(sums, n_features, ridges=None, factor_of=RidgeFactor, above=ABOVE):
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
    above : float or None, default=100
        How far above the scale of the features to search. None: up to the geometric mean of that
        scale and the squared norm of a centred row.

    Returns
    -------
    RidgeChoice

    Raises
    ------
    LinAlgError
        When the Gram matrix is singular at every one of ``ridges``.

    Notes
    -----
    The search climbs a grid of half decades, which is the same for all features, from the scale
    of the features to the next maximum, towards smaller ridges first. That scale is the median
    variance of a column times the number of columns, about the squared norm of a centred row.
    Where the variances fall into groups with three decades between them (embeddings beside
    seconds since 1970), every group is a start, and the largest of the maxima wins. The
    search starts anew each time, not at an earlier ridge, so that the choice depends on the
    sums alone and not on the calls that led to them.
    """
    tried = _Tried(sums, n_features, factor_of)
    if ridges is None:
        _search(tried, above)
    else:
        for ridge in ridges:
            tried.log_evidence(ridge)
        if tried.best is None:
            factor_of(sums, max(ridges), n_features[-1])  # raises
    curve = tried.curves[tried.best.ridge]
    return RidgeChoice(tried.best.ridge, n_features[np.argmax(curve)], tried.best, tried.scores())


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


def _search(tried, above):
    """Climb from the scale of every group of columns."""
    sums, d = tried.sums, tried.n_features[-1]
    ranges = [
        [
            grid_step(ridge)
            for ridge in (
                small / _BELOW,
                median,
                np.sqrt(median) * np.sqrt(total) if above is None else median * above,
            )
        ]
        for small, median, total in scales_of(sums.squared_norm[:d], sums.total[:d], sums.n_samples)
    ]
    for each in ranges:
        _climb(tried, *each)
    if edge := _edge(tried, ranges[0][0], ranges[-1][-1] if above is not None else np.inf):
        warnings.warn(edge.format(tried.best.ridge), stacklevel=2)


def _climb(tried, lowest, start, highest):
    """Evaluate grid points uphill to the next maximum, towards smaller ridges first."""

    def rises(to, step):
        return _at(tried, to) > _at(tried, step) + _FLAT

    while _at(tried, start) == -np.inf:
        start += 1
    step = start
    while step > lowest and rises(step - 1, step):
        step -= 1
    if step == start:
        while step < highest and rises(step + 1, step):
            step += 1


def _at(tried, step):
    return tried.log_evidence(grid_ridge(step))


def grid_step(ridge):
    """The number of the nearest grid point."""
    return round(STEPS_PER_DECADE * np.clip(np.log10(ridge), -300, 300))


def grid_ridge(step):
    """The ridge of a grid point."""
    if step > 300 * STEPS_PER_DECADE:
        raise LinAlgError("These sums are those of no samples: singular at every ridge.")
    return 10.0 ** (step / STEPS_PER_DECADE)


def scales_of(squares, total, n_samples):
    """Ridges that small, median and all columns ask for, in every group of columns, ascending.

    Variance times number of columns, with the 10 % and 50 % quantile of the variances, and with
    their mean. Those that are rounding of a column's squares do not count; of one sample, which
    has none, its
    squares do.
    """
    scatter = squares - total**2 / n_samples
    varies = scatter > 1e-12 * squares
    values = scatter[varies] if varies.any() else squares[squares > 0]
    values = np.sort(values / n_samples) if len(values) else np.ones(1)
    ends = np.flatnonzero(values[1:] > _GAP * values[:-1]) + 1
    for group in np.split(values, ends):
        size = len(group)
        yield *(size * group[[size // 10, size // 2]]), group.sum()


def _edge(tried, lowest, highest):
    """What to say where the evidence has no maximum inside."""
    best = grid_step(tried.best.ridge)
    count = tried.best.evidence().class_count
    at_smallest = best == lowest or _at(tried, best - 1) == -np.inf
    # Features that tell few labels without error are expected where they outnumber the samples.
    many = count.sum() > tried.n_features[-1]
    if many and at_smallest and _at(tried, best) > _at(tried, best + 1) + _FLAT:
        return (
            "The evidence is highest at the smallest ridge that is searched, {:.3g}: the features "
            "tell the labels without error, samples are given twice, or the features lie so far from "
            "zero that rounding hides how they vary."
        )
    # With fewer than two samples a class the largest ridge is expected.
    if best >= highest and count.sum() >= 2 * (count > 0).sum():
        return (
            "The evidence is highest at the largest ridge that is searched, {:.3g}: the features "
            "tell little about the labels."
        )
    return None

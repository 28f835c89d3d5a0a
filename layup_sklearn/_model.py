"""All that was learned, in one immutable object."""

from dataclasses import dataclass, field, fields, replace
from itertools import chain

import numpy as np
from scipy.linalg import LinAlgError

from ._carried import CarriedFactor, TooHeavy
from ._choice import RidgeChoice
from ._layers import layer_sizes
from ._once import once
from ._ridge import RidgeFactor
from ._rows import PendingRows
from ._statistics import ClassStatistics
from ._sums import add_by_class
from ._symmetric import read_only

MOST_PENDING = 256  # rows that wait before they are folded into the sums


def most_pending(n_features):
    """How many rows wait.

    A fold costs n_features^3, so many rows should share it; a carried factor reads all of them
    for each new row, so they should stay few beside the features: about an eighth was fastest.
    """
    return min(max(n_features // 8, 32), MOST_PENDING)


class Memo:
    """What follows from a model and is costly to find; not a part of it, nor of pickles."""

    def __init__(self, carried=()):
        self.solutions = {}  # settings -> Solution, the last few
        self.carried = dict(
            carried
        )  # (n_features, ridge) -> (CarriedFactor, batches in it, classes)
        self.folded = None  # the same model without pending rows
        self.factor = None  # of the last solution that was asked for more than scores

    def keep_carried(self, n_features, ridges):
        """Drop the factors that the last solution did not look at: each is as large as the sums."""
        keys = {(n_features, float(ridge)) for ridge in ridges}
        self.carried = {key: held for key, held in list(self.carried.items()) if key in keys}


@dataclass(frozen=True, eq=False)
class Model:
    """All that was learned.

    Attributes
    ----------
    encoder : transformer or None
    statistics : ClassStatistics
        Over all classes, also those of the pending rows.
    pending : PendingRows
        Rows that the statistics do not hold yet.
    choice : RidgeChoice or None
        Made on folds of the newest call that was large enough.
    """

    encoder: object
    statistics: ClassStatistics
    pending: PendingRows = PendingRows()
    choice: RidgeChoice | None = None
    memo: Memo = field(default_factory=Memo, repr=False)

    @classmethod
    def empty(cls, encoder, classes, n_features, dtype):
        """Before any sample."""
        return cls(encoder, ClassStatistics.zeros(classes, n_features, dtype))

    @property
    def layer_ends(self):
        """Numbers of columns of one layer, two layers, ..."""
        sizes = layer_sizes(self.encoder) or [self.statistics.n_features]
        return np.cumsum(sizes).tolist()

    @once
    def squared_norm(self):
        """Diagonal of the Gram matrix of everything."""
        return self.statistics.squared_norm + self.pending.squared_norm

    @once
    def total(self):
        """Sum of all rows of everything."""
        return self.statistics.total + self.pending.total

    @once
    def n_samples(self):
        """Sum of the weights of everything."""
        return self.statistics.n_samples + self.pending.weight

    @once
    def class_count(self):
        """Sum of the weights of each class, of everything."""
        count = self.statistics.class_count
        if not self.pending.batches:
            return count
        _, codes, weight = self._pending_rows()
        return read_only(count + np.bincount(codes, weight, minlength=len(count)))

    @property
    def nbytes(self):
        """Of the sums and of the rows that wait; what follows from them is not counted."""
        arrays = [getattr(self.statistics, field.name) for field in fields(self.statistics)]
        return sum(array.nbytes for array in chain(arrays, *self.pending.batches))

    @once
    def class_sum(self):
        """Sum of the rows of each class, of everything, float64."""
        waiting = bool(self.pending.batches)
        class_sum = self.statistics.class_sum.astype(np.float64, copy=waiting)
        if waiting:
            X, codes, weight = self._pending_rows()
            add_by_class(class_sum, X.astype(np.float64), codes, weight)
        return class_sum

    def _pending_rows(self, start=0):
        classes = self.statistics.classes
        X, y, weight = self.pending.joined(classes, start)
        return X, np.searchsorted(classes, y), weight

    def folded(self):
        """The same model with all rows in its statistics."""
        if not self.pending.batches:
            return self
        if self.memo.folded is None:
            statistics = self.statistics.add_batches([self.pending.joined(self.statistics.classes)])
            self.memo.folded = replace(
                self, statistics=statistics, pending=PendingRows(), memo=Memo()
            )
        return self.memo.folded

    def learned(self, classes, batches, n_rows=None):
        """The model that has seen some samples more.

        Parameters
        ----------
        classes : ndarray of shape (n_classes,)
            Labels of before and of the samples.
        batches : iterable of (X, y, sample_weight)
        n_rows : int, default=None
            Samples in all of them; so few wait. None: they are folded at once.
        """
        model = self.memo.folded or self
        if n_rows is not None and n_rows <= most_pending(model.statistics.n_features):
            return model._with_pending(classes, batches, n_rows)
        statistics = model.statistics.with_classes(classes)
        if model.pending.batches:
            batches = chain([model.pending.joined(classes)], batches)
        return model.replaced(statistics.add_batches(batches))

    def _with_pending(self, classes, batches, n_rows):
        fits = self.pending.n_rows + n_rows <= most_pending(self.statistics.n_features)
        model = self if fits else self.folded()
        statistics, pending = model.statistics.with_classes(classes), model.pending
        for batch in batches:
            pending = pending.and_also(*batch, statistics.gram.dtype)
        memo = Memo(model.memo.carried)
        return _checked(replace(model, statistics=statistics, pending=pending, memo=memo))

    def replaced(self, statistics, choice=None):
        """The model of other sums, with nothing pending; the choice stays or is replaced."""
        choice = choice or self.choice
        return _checked(Model(self.encoder, statistics, choice=choice))

    def factor(self, ridge, n_features):
        """A factor of all rows: fresh where all are in the sums, carried where some wait.

        Parameters
        ----------
        ridge : float
        n_features : int
            Number of leading columns.

        Raises
        ------
        LinAlgError
            When the matrix is singular.
        TooHeavy
            When the pending rows have to be folded first.
        """
        if not self.pending.batches:
            return RidgeFactor(self.statistics, ridge, n_features)
        classes, n_batches = self.statistics.classes, len(self.pending.batches)
        key = n_features, float(ridge)
        carried, start, known = self.memo.carried.get(key) or self._start(*key)
        carried = carried.with_classes(known, classes)
        if start < n_batches:
            X, codes, weight = self._pending_rows(start)
            carried = carried.over(X[:, :n_features], codes, weight)
            self.memo.carried[key] = carried, n_batches, classes
        return carried

    def _start(self, n_features, ridge):
        statistics = self.statistics
        try:
            factor = RidgeFactor(statistics, ridge, n_features)
        except LinAlgError as error:  # it may be regular with the pending rows
            raise TooHeavy from error
        carried = CarriedFactor.start(factor, statistics.squared_norm[:n_features])
        return carried, 0, statistics.classes

    def solved_factor(self, solution):
        """The factor of a solution, remembered for the last one."""
        key = solution.ridge, solution.rule.coef.shape[1]
        if self.memo.factor is None or self.memo.factor[0] != key:
            try:
                self.memo.factor = key, self.factor(*key)
            except TooHeavy:
                self.memo.factor = key, self.folded().factor(*key)
        return self.memo.factor[1]

    def __getstate__(self):
        folded = self.folded()
        return {name: getattr(folded, name) for name in ("encoder", "statistics", "choice")}

    def __setstate__(self, state):
        for name, value in {**state, "pending": PendingRows(), "memo": Memo()}.items():
            object.__setattr__(self, name, value)


def _checked(model):
    """The model itself, if its sums are finite and leave room for solving."""
    limit = 1e300 if model.statistics.gram.dtype == np.float64 else 1e38
    count = model.statistics.class_count.max() + model.pending.weight
    if not (model.squared_norm.max() < limit and count < limit):  # true for NaN, too
        raise ValueError(
            "The features or sample weights are too large: sums of their squares overflow; "
            "rescale them."
        )
    return model

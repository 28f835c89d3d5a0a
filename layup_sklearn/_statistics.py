"""The sums that LayUP remembers, and nothing else."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import get_blas_funcs, get_lapack_funcs

CHUNK_ROWS = 1024  # rows that are copied to the type of the sums at a time


def union_of_labels(*labels):
    """Sorted distinct labels of several 1-D arrays; strings, bytes and numbers do not mix."""
    labels = [np.unique(part) for part in labels if len(part)]
    kinds = {(isinstance(part[0], str), isinstance(part[0], bytes)) for part in labels}
    if len(kinds) > 1:
        raise ValueError(
            "Labels are of one kind (strings, bytes, numbers) in one place, of another elsewhere: "
            f"{[part[:3].tolist() for part in labels]} (the first labels of each); "
            "use one kind for all calls."
        )
    union = np.unique(np.concatenate(labels))
    for part in labels:
        if len(np.unique(part.astype(union.dtype))) < len(part):
            raise ValueError(
                f"Labels of type {part.dtype} collide as {union.dtype}, the common type of all "
                "calls; use one type."
            )
    return union


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """Gram matrix, class sums and class counts of labelled feature rows.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted distinct labels.
    joint_gram : ndarray of shape (n_features + n_classes, n_features + n_classes)
        Gram matrix of the rows [x, onehot(y)], in Fortran order. Only the lower
        triangle is kept; the strict upper triangle is zero.

    Attributes
    ----------
    gram : ndarray of shape (n_features, n_features)
        Symmetric; computed on access.
    class_sum : ndarray of shape (n_classes, n_features)
    class_count : ndarray of shape (n_classes,)
        Total sample weight of each class; zero for a class that was declared but
        has no sample yet.
    n_features : int

    See Also
    --------
    LayUPClassifier : Learns by adding to these sums, its ``statistics_``.
    parallel_fit : Adds up the sums of shards.

    Notes
    -----
    With one-hot rows Y and sample weights on the diagonal of S, one matrix holds all::

        [X, Y]' S [X, Y] = [ X'SX   .    ]     X'SX = gram
                           [ Y'SX   Y'SY ]     Y'SX = class_sum,  diag(Y'SY) = class_count

    so that learning samples is one symmetric rank-k update, a new class is one more
    zero row, and an update is never half done. Records add and subtract like the
    samples they stand for, in any order and any grouping, up to rounding; the result
    has the type of the left one.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn import ClassStatistics
    >>> X = np.array([[1.0, 0.0], [2.0, 1.0], [0.0, 3.0]])
    >>> statistics = ClassStatistics.from_samples(X, ["a", "a", "b"])
    >>> statistics.gram
    array([[ 5.,  2.],
           [ 2., 10.]])
    >>> statistics.class_sum
    array([[3., 1.],
           [0., 3.]])
    >>> (statistics - ClassStatistics.from_samples(X[:1], ["a"])).class_count
    array([1., 1.])
    """

    classes: np.ndarray
    joint_gram: np.ndarray

    @classmethod
    def zeros(cls, classes, n_features, dtype=np.float64):
        """Statistics of no sample at all.

        Parameters
        ----------
        classes : array-like of shape (n_classes,)
            Labels, sorted and distinct.
        n_features : int
            Width of the feature rows.
        dtype : {float64, float32}
            Type of the sums.

        Returns
        -------
        ClassStatistics
            Over `classes`; every sum is zero.
        """
        size = n_features + len(classes)
        return cls(np.asarray(classes), np.zeros((size, size), dtype=dtype, order="F"))

    @classmethod
    def from_samples(cls, X, y, sample_weight=None):
        """Statistics of labelled rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Feature rows.
        y : array-like of shape (n_samples,)
            Labels: numbers or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative; None counts every row once.

        Returns
        -------
        ClassStatistics
            Over the labels in `y`, in float64.
        """
        X = np.asarray(X)
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight)
        empty = cls.zeros(union_of_labels(y), X.shape[1])
        return empty.add_samples(X, y, sample_weight, overwrite=True)

    @property
    def n_features(self):
        return len(self.joint_gram) - len(self.classes)

    @property
    def gram(self):
        lower = self.joint_gram[: self.n_features, : self.n_features]
        return lower + np.tril(lower, -1).T

    @property
    def class_sum(self):
        return self.joint_gram[self.n_features :, : self.n_features].copy()

    @property
    def class_count(self):
        return self.joint_gram.diagonal()[self.n_features :].copy()

    def with_classes(self, classes):
        """The same sums over other classes, the new ones with zeros.

        Parameters
        ----------
        classes : ndarray of shape (n_other_classes,)
            Sorted and distinct. Classes that are not among them are left out; their
            samples stay in the Gram matrix.

        Returns
        -------
        ClassStatistics
            ``self`` when the classes are the same.
        """
        if np.array_equal(classes, self.classes):
            return self
        d = self.n_features
        other = ClassStatistics.zeros(classes, d, self.joint_gram.dtype)
        common = np.isin(self.classes, classes)
        rows = d + np.searchsorted(classes, self.classes[common])
        other.joint_gram[:d, :d] = self.joint_gram[:d, :d]
        other.joint_gram[rows, :d] = self.joint_gram[d:, :d][common]
        other.joint_gram[rows, rows] = self.class_count[common]
        return other

    def add_samples(self, X, y, sample_weight=None, *, overwrite=False, sign=1.0):
        """Statistics with some samples more.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Copied to the type of the sums in chunks.
        y : array-like of shape (n_samples,)
            Labels among ``self.classes``.
        sample_weight : ndarray of shape (n_samples,), default=None
            Not negative; None counts every row once.
        overwrite : bool, default=False
            Add in place, to the array of this record, which is then returned itself:
            for the only holder of a record.
        sign : {1.0, -1.0}, default=1.0
            -1.0 subtracts.

        Returns
        -------
        ClassStatistics
            Over the same classes, of the same type.
        """
        y = np.asarray(y)
        if len(X) != len(y):
            raise ValueError(f"X has {len(X)} rows and y {len(y)} labels.")
        codes = np.searchsorted(self.classes, y)
        unknown = self.classes[np.minimum(codes, len(self.classes) - 1)] != y
        if unknown.any():
            raise ValueError(f"Label {y[unknown][0]!r} is not among the classes of the sums.")
        columns = self.n_features + codes
        joint_gram = self.joint_gram if overwrite else self.joint_gram.copy(order="F")
        syrk = get_blas_funcs("syrk", dtype=joint_gram.dtype)
        for start in range(0, len(columns), CHUNK_ROWS):
            chunk = slice(start, start + CHUNK_ROWS)
            ones = columns[chunk]
            rows = np.zeros((len(ones), len(joint_gram)), dtype=joint_gram.dtype)
            with np.errstate(over="ignore", invalid="ignore"):  # the sums say so, too
                rows[:, : self.n_features] = X[chunk]
                rows[np.arange(len(ones)), ones] = 1
                if sample_weight is not None:
                    rows *= np.sqrt(sample_weight[chunk])[:, np.newaxis]
            syrk(sign, rows.T, beta=1.0, c=joint_gram, lower=1, overwrite_c=1)
        return self if overwrite else ClassStatistics(self.classes, joint_gram)

    def __add__(self, other):
        return self._combine(other, np.add)

    def __sub__(self, other):
        return self._combine(other, np.subtract)

    def _combine(self, other, operation):
        if self.n_features != other.n_features:
            raise ValueError(
                f"Statistics of {self.n_features} and of {other.n_features} features "
                "cannot be combined: they come from different feature spaces."
            )
        classes = union_of_labels(self.classes, other.classes)
        left, right = (part.with_classes(classes).joint_gram for part in (self, other))
        return ClassStatistics(classes, operation(left, right, dtype=left.dtype))


def without_samples(before, after):
    """What is left of sums when samples were subtracted, if they can have been there.

    Parameters
    ----------
    before, after : ClassStatistics
        Sums over the same classes; the array of `after` is changed.

    Returns
    -------
    ClassStatistics
        `after` without the classes that lost their last sample.

    Raises
    ------
    ValueError
        When `after` are no sums of samples, or of none at all.

    Notes
    -----
    Sums of samples of weight >= 0 are a positive semi-definite ``joint_gram``. With D
    its diagonal before, and t = 1e-8 (1e-2 in single precision) well above the rounding
    of the sums, this is tested by a Cholesky factorisation of ``after + t D``: every
    removal of what was learned passes, and what fails cannot have been there. Not every
    foreign row can be told: from positive definite sums any row of leverage
    x' G^-1 x < 1 can be taken.

    A count is zero when it is, or when it is no whole number and below sqrt(eps) times
    what it was: the rounding of fractional weights.
    """
    old, new = before.joint_gram.diagonal(), after.joint_gram.diagonal()
    d, eps, tiny = before.n_features, np.finfo(old.dtype).eps, np.finfo(old.dtype).tiny
    count = new[d:].copy()
    count[(np.abs(count) <= np.sqrt(eps) * old[d:]) & (count != np.rint(count))] = 0
    if (count < 0).any():
        short = np.argmin(count)
        raise ValueError(
            f"Class {before.classes.tolist()[short]!r} has samples of weight {old[d + short]:g}, "
            f"fewer than the {old[d + short] - new[d + short]:g} to be forgotten."
        )
    if not count.any():
        raise ValueError(
            "No sample would be left: to forget everything, start anew with sklearn.base.clone."
        )
    slack = max(1e5 * eps, 1e-8) * old + tiny
    possible = (new >= -slack).all()  # false for NaN, too
    if possible:
        shifted = np.array(after.joint_gram, dtype=np.float64, order="F")
        shifted[np.diag_indices(len(new))] += np.where(old > 0, slack, 1)
        (potrf,) = get_lapack_funcs(("potrf",), (shifted,))
        possible = potrf(shifted, lower=1, clean=0, overwrite_a=1)[1] == 0
    if not possible:
        raise ValueError(
            "These samples cannot have been learned: without them the Gram matrix would not be "
            "positive semi-definite. Forget samples with the X, y and sample_weight they had."
        )
    diagonal = np.einsum("ii->i", after.joint_gram)
    diagonal[:d], diagonal[d:] = np.maximum(new[:d], 0), count
    return after.with_classes(after.classes[(count > 0) | (old[d:] == 0)])

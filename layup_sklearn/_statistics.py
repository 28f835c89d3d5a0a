"""The sums that LayUP remembers, and nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import chain, islice
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._labels import label_codes, union_of_labels
from ._once import once
from ._sums import add_rows, check_shapes
from ._symmetric import copy_lower_to_upper, pack, read_only, unpack


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """Gram matrix, class sums and class counts of labelled feature rows.

    Immutable: the arrays are read-only, and writeable ones that it is made of are copied.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted distinct labels.
    gram : ndarray of shape (n_features, n_features)
        Gram matrix of the rows, symmetric; float64 or float32.
    class_sum : ndarray of shape (n_classes, n_features)
        Sum of the rows of each class, of the type of `gram`.
    class_count : ndarray of shape (n_classes,)
        Total sample weight of each class, float64; zero for a class without samples.

    Attributes
    ----------
    n_features : int
    n_samples : float
        Sum of all weights.
    total, squared_norm : ndarray of shape (n_features,)
        Sum of all rows, and of their squares, float64.

    See Also
    --------
    LayUPClassifier : Learns by adding to these sums, its ``statistics_``.
    parallel_fit : Adds up the sums of shards.

    Notes
    -----
    With one-hot rows Y and sample weights on the diagonal of S::

        gram = X'SX (d, d)        class_sum = Y'SX (K, d)        class_count = diag(Y'SY) (K,)

    Records add and subtract like the samples they stand for, in any order and any grouping,
    up to rounding; the result has the type of the left one. A new class is one more row of
    zeros: the Gram matrix is shared, not copied. Pickles hold one triangle of it.

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

    classes: NDArray[Any]
    gram: NDArray[np.floating]
    class_sum: NDArray[np.floating]
    class_count: NDArray[np.float64]

    def __post_init__(self):
        for field in fields(self):
            array = np.asarray(getattr(self, field.name))
            if array.flags.writeable:
                array = array.copy(order="F" if field.name == "gram" else "C")
            object.__setattr__(self, field.name, read_only(array))
        check_shapes(self)

    @classmethod
    def zeros(cls, classes: ArrayLike, n_features: int, dtype: DTypeLike = np.float64) -> Self:
        """Statistics of no sample at all, which take no memory for the Gram matrix.

        Parameters
        ----------
        classes : array-like of shape (n_classes,)
            Labels, sorted and distinct.
        n_features : int
            Number of columns.
        dtype : {float64, float32}
            Type of the sums.

        Returns
        -------
        ClassStatistics
            Over `classes`.
        """
        gram = np.broadcast_to(np.zeros((), dtype), (n_features, n_features))
        class_sum = np.zeros((len(classes), n_features), dtype)
        return cls(classes, gram, read_only(class_sum), np.zeros(len(classes)))

    @classmethod
    def from_samples(
        cls, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Statistics of labelled rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Feature rows.
        y : array-like of shape (n_samples,)
            Numbers or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative; None counts every row once.

        Returns
        -------
        ClassStatistics
            Over the labels in `y`, in float64.
        """
        X = np.asarray(X)
        return cls.zeros(union_of_labels(y), X.shape[1]).add_samples(X, y, sample_weight)

    @property
    def n_features(self) -> int:
        return len(self.gram)

    @once
    def n_samples(self) -> float:
        """Sum of the weights of all samples."""
        return float(self.class_count.sum())

    @once
    def squared_norm(self) -> NDArray[np.float64]:
        """Diagonal of `gram`, as float64."""
        return self.gram.diagonal().astype(np.float64)

    @once
    def total(self) -> NDArray[np.float64]:
        """Sum of all rows, as float64."""
        return self.class_sum.sum(axis=0, dtype=np.float64)

    def with_classes(self, classes: NDArray[Any]) -> Self:
        """The same sums over other classes, the new ones with zeros.

        Parameters
        ----------
        classes : ndarray of shape (n_other_classes,)
            Sorted and distinct. Samples of classes left out stay in the Gram matrix.

        Returns
        -------
        ClassStatistics
            Over the other classes.
        """
        if np.array_equal(classes, self.classes) and classes.dtype == self.classes.dtype:
            return self
        common = np.isin(self.classes, classes)
        rows = np.searchsorted(classes, self.classes[common])
        class_sum = np.zeros((len(classes), self.n_features), self.class_sum.dtype)
        class_count = np.zeros(len(classes))
        class_sum[rows], class_count[rows] = self.class_sum[common], self.class_count[common]
        return type(self)(classes, self.gram, read_only(class_sum), class_count)

    def add_samples(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, sign: float = 1.0
    ) -> Self:
        """Statistics with some samples more.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Feature rows.
        y : array-like of shape (n_samples,)
            Labels among ``self.classes``.
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative; None counts every row once.
        sign : {1.0, -1.0}, default=1.0
            -1.0 subtracts.

        Returns
        -------
        ClassStatistics
            Over the same classes, of the same type.
        """
        weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight)
        return self.add_batches([(X, np.asarray(y), weight)], sign)

    def add_batches(self, batches: Iterable[tuple[NDArray[Any], ...]], sign: float = 1.0) -> Self:
        """Statistics with the samples of some batches more; the sums are copied once.

        Parameters
        ----------
        batches : iterable of (X, y, sample_weight)
            As for `add_samples`, arrays all three.
        sign : {1.0, -1.0}, default=1.0
            -1.0 subtracts.

        Returns
        -------
        ClassStatistics
            Over the same classes, of the same type.
        """
        batches = iter(batches)
        first = [*islice(batches, 1)]  # an encoder works on the next ones while we copy
        gram, class_sum = self.gram.copy(order="F"), self.class_sum.copy(order="C")
        class_count = self.class_count.copy()
        for X, y, weight in chain(first, batches):
            if len(X) != len(y):
                raise ValueError(f"X has {len(X)} rows and y {len(y)} labels.")
            codes = label_codes(self.classes, y)
            add_rows(gram, class_sum, X, codes, weight, sign)
            class_count += sign * np.bincount(codes, weight, minlength=len(class_count))
        copy_lower_to_upper(gram)
        return type(self)(self.classes, *map(read_only, (gram, class_sum, class_count)))

    def __add__(self, other: Self) -> Self:
        return self._combine(other, np.add)

    def __sub__(self, other: Self) -> Self:
        return self._combine(other, np.subtract)

    def _combine(self, other, operation):
        if self.n_features != other.n_features:
            raise ValueError(
                f"Statistics of {self.n_features} and of {other.n_features} features "
                "cannot be combined: they come from different feature spaces."
            )
        classes = union_of_labels(self.classes, other.classes)
        left, right = self.with_classes(classes), other.with_classes(classes)
        names = ("gram", "class_sum", "class_count")
        pairs = [(getattr(left, name), getattr(right, name)) for name in names]
        sums = (operation(a, b, dtype=a.dtype) for a, b in pairs)
        return type(self)(classes, *map(read_only, sums))

    def __getstate__(self):
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**arrays, "gram": pack(self.gram)}

    def __setstate__(self, state):
        gram = unpack(state["gram"], state["class_sum"].shape[1])
        for name, array in {**state, "gram": gram}.items():
            object.__setattr__(self, name, read_only(array))

"""Checks of weights, candidates and folds.

The only place that imports private names of scikit-learn; all others take them from here.
"""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, validate_data
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "COSINE",
    "POSITIVE",
    "SHARE",
    "HasMethods",
    "Interval",
    "StrOptions",
    "check_argument",
    "check_candidates",
    "check_folds",
    "check_not_none",
    "check_weights",
    "differ",
    "num_samples",
    "safe_indexing",
]


POSITIVE = Interval(Integral, 1, None, closed="left")
SHARE = Interval(Real, 0, 1, closed="both")
COSINE = Interval(Real, -1, 1, closed="both")


def check_argument(name: str, value, constraint: Interval) -> None:
    """Raise where an argument of a method is not a number of an interval."""
    if not constraint.is_satisfied_by(value):
        raise ValueError(f"{name} must be {constraint}, got {value!r}.")


def differ(old, new) -> bool:
    """Whether a parameter is another one; not where values are the same object, or equal."""
    if old is new:
        return False
    return type(old) is not type(new) or np.any(np.asarray(old != new))


def check_not_none(y, estimator) -> None:
    """Raise where labels are missing, in scikit-learn's words."""
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the "
            "target y is None."
        )


def check_weights(sample_weight, y):
    """Finite weights that are not negative, at least one of them positive.

    Parameters
    ----------
    sample_weight : None, number or array-like of shape (n_samples,)
    y : ndarray of shape (n_samples,)

    Returns
    -------
    sample_weight : ndarray of shape (n_samples,), float64
    """
    if sample_weight is None:
        return np.ones(len(y))
    if not np.isscalar(sample_weight):
        sample_weight = np.asarray(sample_weight)
    if np.size(sample_weight) and not np.any(sample_weight):
        raise ValueError("sample_weight is zero for every sample: there is nothing to learn.")
    return _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)


def check_candidates(ridges):
    """The given ridges as a tuple; None stands for a search.

    Parameters
    ----------
    ridges : None or array-like of float

    Returns
    -------
    ridges : None or tuple of float
    """
    if ridges is None:
        return None
    try:
        array = np.asarray(ridges, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim != 1 or not array.size or not (np.isfinite(array) & (array >= 0)).all():
        raise ValueError(f"ridges must be numbers, finite and not negative, got {ridges!r}.")
    return tuple(array.tolist())


def check_folds(cv, X, y, kept):
    """Index arrays (train, test) of the rows that count.

    Parameters
    ----------
    cv : int, splitter or iterable of (train, test)
        An int is lowered to the size of the largest class.
    X : ndarray of shape (n_kept, n_features)
        Rows of positive weight.
    y : ndarray of shape (n_kept,)
        Their labels.
    kept : ndarray of shape (n_samples,), bool
        Which rows of the call those are; index arrays in `cv` count them all.

    Returns
    -------
    splits : list of (train, test)
        Empty where not even two folds can be made.
    """
    if isinstance(cv, type):
        raise ValueError(f"cv is the class {cv.__name__}: give an object, {cv.__name__}().")
    if hasattr(cv, "__next__"):
        raise ValueError("cv is an iterator, which serves one call only: give a list.")
    _, y, counts = np.unique(y, return_inverse=True, return_counts=True)
    if isinstance(cv, Integral):
        cv = min(cv, counts.max())
        if cv < 2:
            return []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        splits = list(check_cv(cv, y, classifier=True).split(X, y))
    if isinstance(cv, Integral) or hasattr(cv, "split"):
        return splits
    return [_kept_rows(split, kept) for split in splits]


def _kept_rows(split, kept):
    """A given fold, without the rows of weight zero."""
    place = np.where(kept, np.cumsum(kept) - 1, -1)
    try:
        parts = [place[np.asarray(part) if len(part) else []] for part in split]
    except IndexError as error:
        raise ValueError(f"cv does not suit a call of {len(kept)} samples: {error}.") from error
    train, test = (part[part >= 0] for part in parts)
    if not len(train) or not len(test):
        raise ValueError("cv leaves a fold without training or without test rows in this call.")
    return train, test


def check_features(estimator, X, reset):
    """Features as scikit-learn checks them, and errors that say where something is wrong.

    Parameters
    ----------
    estimator : estimator
        Takes number and names of the features where `reset`; else they must be its own.
    X : array-like of shape (n_samples, n_features)
    reset : bool

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    """
    unnamed = not reset and not hasattr(estimator, "feature_names_in_")
    if unnamed and _is_plain(X, estimator.n_features_in_):
        return X
    try:
        return validate_data(estimator, X, reset=reset)
    except ValueError as error:
        raise ValueError(_what_is_wrong(X) or str(error).strip()) from error


def _what_is_wrong(X):
    """One sentence with the place; None where scikit-learn says it better."""
    try:
        array = np.asarray(X)
    except ValueError:
        return _odd_row(X)
    if array.ndim == 0:
        return f"X must hold samples in rows, got {X!r}."
    if array.dtype.kind == "c":
        return "Complex data not supported: X holds complex numbers, and features are real."
    try:
        values = array.astype(np.float64)
    except (TypeError, ValueError):
        return None
    if np.isfinite(values).all() or array.ndim != 2:
        return None
    row, column = np.argwhere(~np.isfinite(values))[0].tolist()
    kind = "NaN" if np.isnan(values[row, column]) else "infinity"
    return (
        f"Input X contains {kind}, first in X[{row}, {column}]: leave such samples out, or fill them in "
        "(sklearn.impute)."
    )


def _odd_row(X):
    """Which row has another length than the first; None where it is something else."""
    lengths = [len(row) if hasattr(row, "__len__") else 0 for row in X]
    for i, length in enumerate(lengths):
        if length != lengths[0]:
            return f"X[{i}] has {length} values, but X[0] has {lengths[0]}: rows are of one length."
    return None


def _is_plain(X, n_features):
    """Whether validate_data would hand X back, without names; found out in a tenth of its time."""
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float64, np.float32)
        and X.ndim == 2
        and X.shape[0] > 0
        and X.shape[1] == n_features
        and bool(np.isfinite(X).all())
    )

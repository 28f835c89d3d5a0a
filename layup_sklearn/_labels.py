"""Labels: checked, and united over calls."""

from numbers import Real

import numpy as np
from sklearn.utils.validation import column_or_1d


def check_labels(y, name="y"):
    """1-D array of integers, booleans, whole floats or strings.

    Unlike scikit-learn's check_classification_targets, it does not warn of many classes in
    few samples.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    name : str, default="y"
        What the labels are called in errors.

    Returns
    -------
    y : ndarray of shape (n_samples,)
    """
    y = column_or_1d(_without_nullable_type(y), warn=True)
    if y.dtype.kind in "OT":
        y = _from_objects(np.array(y, dtype=object), name)
    if y.dtype.kind not in "biufUSO":
        raise ValueError(f"Unknown label type: {y.dtype}; {name} holds integers or strings.")
    if y.dtype.kind == "f":
        _check_whole(y, name)
    return y


def _without_nullable_type(y):
    """The values of pandas' nullable numbers, which NumPy would make floats of."""
    exact = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    if exact is None or exact == object or y.isna().any():
        return y
    return y.to_numpy(dtype=exact)


def _from_objects(y, name):
    if all(isinstance(label, (bool, np.bool_, Real)) for label in y):
        return np.array(y.tolist())
    odd = next((i for i, label in enumerate(y) if not isinstance(label, str)), None)
    if odd is not None:
        raise ValueError(
            f"{name} holds {y[odd]!r} at position {odd}; labels are all numbers or all strings."
        )
    return y


def _check_whole(y, name):
    if not np.isfinite(y).all():
        raise ValueError(f"Input {name} contains NaN or infinity.")
    if (y != np.floor(y)).any():
        raise ValueError(
            f"Unknown label type: continuous. {name} holds {y[y != np.floor(y)][0]}; labels "
            "are integers or strings."
        )


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
        with np.errstate(invalid="ignore"):  # of numbers beyond the other type
            changed = part.astype(union.dtype).astype(part.dtype) != part
        if changed.any():
            raise ValueError(
                f"Label {part[changed].tolist()[0]!r} of type {part.dtype} cannot be kept as "
                f"{union.dtype}, the common type of all calls; use one type."
            )
    return union


def label_codes(classes, y):
    """Positions of labels among sorted classes."""
    codes = np.searchsorted(classes, y)
    unknown = classes[np.minimum(codes, len(classes) - 1)] != y
    if unknown.any():
        label = y[unknown].tolist()[0]
        raise ValueError(f"Label {label!r} is not among the classes of the sums.")
    return codes

"""Labels: checked, and united over calls."""

from collections.abc import Mapping, Set
from numbers import Integral, Real

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
    y = _as_array(y, name)
    if y.dtype.kind in "OT":
        y = _from_objects(np.array(y, dtype=object), name)
    if y.dtype.kind not in "biufUSO":
        raise ValueError(f"Unknown label type: {y.dtype}; {name} holds integers or strings.")
    if y.dtype.kind == "f":
        _check_whole(y, name)
    return y


def check_classes(classes, y):
    """Labels that are declared; numbers like sample weights, given in their place, are refused."""
    classes = check_labels(classes, "classes")
    if classes.dtype.kind == "f" and classes.size and check_labels(y).dtype.kind in "biu":
        raise ValueError(
            f"classes holds {classes[0].item()!r}, a float, where y holds whole numbers; weights are the "
            "parameter sample_weight."
        )
    return classes


def _as_array(y, name):
    """A 1-D array, whose values no common type has changed."""
    if hasattr(y, "detach"):
        y = y.detach().cpu().numpy()
    exact = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    if exact is not None and exact != object and not y.isna().any():  # pandas' nullable numbers
        y = y.to_numpy(dtype=exact)
    elif isinstance(y, (Set, Mapping)):
        raise ValueError(
            f"{name} is a {type(y).__name__}, which has no order: use a list or an array."
        )
    elif hasattr(y, "__array__") and not hasattr(y, "dtype"):
        y = np.asarray(y)
    elif not hasattr(y, "dtype") and hasattr(y, "__len__") and not isinstance(y, (str, bytes)):
        items = list(y)
        lengths = [len(item) if isinstance(item, (list, tuple)) else 0 for item in items]
        if len({*lengths}) > 1:
            odd = next(i for i, length in enumerate(lengths) if length != lengths[0])
            raise ValueError(
                f"{name}[{odd}] is {items[odd]!r}, and {name}[0] is {items[0]!r}: each sample has one "
                "label, a number or a string."
            )
        if not all(isinstance(item, str) for item in items) and not any(map(np.ndim, items)):
            y = np.empty(len(items), dtype=object)
            y[:] = items
    if np.ndim(y) == 0:
        raise ValueError(f"{name} must be 1-D, one label for each sample, got {y!r}.")
    return column_or_1d(y, warn=True)


def plain_label(label):
    """A label of NumPy or torch as Python's own."""
    return label.item() if hasattr(label, "item") else label


def _from_objects(y, name):
    """Numbers in a type that keeps them, or strings, or bytes."""
    for kind in (str, bytes):
        if all(isinstance(label, kind) for label in y):
            return y if kind is str else np.array(y.tolist())
    is_number = [isinstance(label, (bool, np.bool_, Real)) for label in y]
    for place, label in enumerate(y):
        if label is None or type(label).__name__ in ("NAType", "NaTType"):
            raise ValueError(
                f"{name} holds {label!r} at position {place}: a label is missing there."
            )
    if not all(is_number):
        odd = is_number.index(not is_number[0]) if any(is_number) else _first_odd(y)
        raise ValueError(
            f"{name} holds {plain_label(y[odd])!r} at position {odd}, and {plain_label(y[0])!r} at "
            "position 0; labels are all numbers or all strings."
        )
    numbers = [plain_label(label) for label in y]
    if any(isinstance(number, bool) for number in numbers):
        return np.array(numbers)
    if all(isinstance(number, Integral) for number in numbers):
        return np.array(numbers, dtype=_integers(min(numbers), max(numbers), name))
    return np.array(numbers, dtype=np.float64)


def _first_odd(y):
    """Place of the first label that is not a string."""
    return next(place for place, label in enumerate(y) if not isinstance(label, str))


def _integers(low, high, name="Labels"):
    """The type of whole numbers that holds both."""
    for dtype in (np.int64, np.uint64):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return dtype
    raise ValueError(f"{name} between {low} and {high}: no type of 64 bits holds both.")


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
    if labels and all(part.dtype.kind in "iu" for part in labels):
        if len({part.dtype.kind for part in labels}) == 2:  # NumPy would make floats of them
            low, high = min(int(part[0]) for part in labels), max(int(part[-1]) for part in labels)
            labels = [part.astype(_integers(low, high)) for part in labels]
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
    if classes.dtype != y.dtype and classes.dtype.kind in "iu" and y.dtype.kind in "iu":
        y = np.array(y.tolist(), dtype=object)  # no common type keeps large ones
        classes = np.array(classes.tolist(), dtype=object)
    codes = np.searchsorted(classes, y)
    unknown = classes[np.minimum(codes, len(classes) - 1)] != y
    if unknown.any():
        label = y[unknown].tolist()[0]
        raise ValueError(f"Label {label!r} is not among the classes of the sums.")
    return codes

"""Whatever users give as a collection of samples."""

import os

import numpy as np
from scipy.sparse import issparse

_LISTS = ("to_pylist", "to_list", "tolist")  # of Arrow, polars and Hugging Face, pandas


def as_collection(X, kind="samples"):
    """Samples as something that has rows to slice.

    Arrays, tensors, tables with ``iloc`` and sparse matrices stay; every other sequence becomes
    the list of its items, read by its length.

    Parameters
    ----------
    X : array, tensor, DataFrame, Series, sparse matrix, or any sequence
    kind : str, default="samples"
        What they are, for errors.

    Returns
    -------
    X : the same, or a list

    Raises
    ------
    ValueError
        When X is one sample, or no collection, or empty.
    """
    if is_one_sample(X):
        raise ValueError(f"X must be a collection of {kind}, got one {type(X).__name__}: use [X].")
    if issparse(X):
        X = X.tocsr()
    elif not (isinstance(X, (list, np.ndarray)) or hasattr(X, "iloc") or hasattr(X, "detach")):
        X = _as_list(X, kind)
    n_samples = X.shape[0] if hasattr(X, "shape") and np.ndim(X) else len(X)
    if n_samples == 0:
        raise ValueError(f"Found array with 0 sample(s): X holds no {kind}.")
    return X


def apart(X):
    """The samples of a 3-D array one by one: three grey pictures must not look like one of colour."""
    return list(X) if getattr(X, "ndim", 0) == 3 else X


def is_one_sample(X):
    """Whether X is a text, a path, a picture or an open file."""
    single = (str, bytes, bytearray, memoryview, os.PathLike)
    return isinstance(X, single) or hasattr(X, "getbands") or hasattr(X, "read")


def _as_list(X, kind="samples"):
    for name in _LISTS:
        if hasattr(X, name) and not hasattr(X, "__array_interface__"):
            return getattr(X, name)()
    if hasattr(X, "__getitem__") and hasattr(X, "__len__") and not hasattr(X, "keys"):
        return [X[i] for i in range(len(X))]
    if hasattr(X, "__array__"):
        return np.asarray(X)
    raise ValueError(f"X must be a collection of {kind}, got {type(X).__name__}.")


def as_items(X, kind):
    """The samples of a collection, one by one, as a list.

    Parameters
    ----------
    X : what `as_collection` takes
    kind : str
        What they are, for errors.

    Returns
    -------
    items : list
        Of a table, the values of its only column; of pairs (sample, label), the samples.
    """
    X = as_collection(X, kind)
    if hasattr(X, "iloc"):
        X = _one_column(X, kind)
    elif getattr(X, "ndim", 1) == 2 and getattr(X, "dtype", None) is not None:
        X = X[:, 0].tolist() if X.dtype.kind in "OUST" and X.shape[1] == 1 else X
    X = list(X)
    if all(isinstance(item, tuple) and len(item) == 2 for item in X):  # a data set with labels
        if kind == "texts" and isinstance(X[0][1], str):
            raise ValueError("X[0] is a pair of texts: join the two, or give the first of each.")
        X = [sample for sample, _ in X]
    return X


def _one_column(table, kind):
    if table.ndim == 2 and table.shape[1] != 1:
        raise ValueError(
            f"A DataFrame of {kind} must have one column, got {table.shape[1]}: "
            f"{list(table.columns)}."
        )
    return (table if table.ndim == 1 else table.iloc[:, 0]).tolist()


def as_array(X):
    """NumPy view of an array or tensor, also from an accelerator."""
    if hasattr(X, "detach"):
        X = X.detach().cpu()
        X = X.float() if X.is_floating_point() and X.element_size() < 4 else X  # bfloat16
    return np.asarray(X)


def as_features(X):
    """Ready features as scikit-learn checks them: tensors and columns of vectors as arrays.

    Parameters
    ----------
    X : array-like, table, tensor, or a column or sequence of vectors

    Raises
    ------
    ValueError
        When X looks like images, paths or texts.
    """
    if hasattr(X, "detach"):
        return as_array(X)
    items = _items(X)
    first = X if is_one_sample(X) else items[0] if items else None
    if is_one_sample(first) or getattr(X, "ndim", 0) in (3, 4):
        what = f"of shape {X.shape}" if hasattr(X, "ndim") else f"with {type(first).__name__}"
        raise ValueError(
            f"X {what} looks like images or texts, and there is no encoder: give one, such as "
            "LayUPClassifier(ImageEncoder(...)) or LayUPClassifier(TextEncoder(...))."
        )
    if items and (hasattr(first, "shape") or items is not X) and np.ndim(first) == 1:
        return np.stack([as_array(vector) for vector in items])
    return X


def _items(X):
    """The items of a list, a sequence that NumPy does not know, or a column of objects."""
    if isinstance(X, (list, tuple)):
        return X
    if hasattr(X, "iloc") and (X.ndim == 1 or X.shape[1] == 1):
        column = X if X.ndim == 1 else X.iloc[:, 0]
        return column.tolist() if column.dtype.kind == "O" else None
    if hasattr(X, "shape") or hasattr(X, "__array__") or not hasattr(X, "__len__"):
        return None
    return _as_list(X)

"""Data as people have it: a folder for each class, data sets of pairs, loaders of batches.

Nothing here imports torch, torchvision or Hugging Face datasets; their objects are known by what
they can do.
"""

import os
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from math import ceil
from operator import length_hint
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import BaseEstimator

from ._labels import check_labels, plain_label
from ._typing import StrPath
from ._validation import POSITIVE, check_argument
from .encoders._images import FORMATS

__all__ = ["as_X_y", "load_image_folder", "partial_fit_batches"]

Classifier = TypeVar("Classifier", bound=BaseEstimator)


class Rows(Protocol):
    """What gives a row for a number: a list, a data set of torch, torchvision or Hugging Face."""

    def __getitem__(self, index: int, /) -> Any: ...


def load_image_folder(
    folder: StrPath, classes: Sequence[str] | None = None
) -> tuple[NDArray[np.object_], NDArray[np.str_]]:
    """List the pictures of a folder that holds a folder for each class.

    Parameters
    ----------
    folder : str or path
        Holds pictures as ``cat/1.jpg``, ``owl/7.png``, and so on.
    classes : list of str, default=None
        Folders to list, where not all.

    Returns
    -------
    paths : ndarray of shape (n_pictures,), object
        Paths as str, by class and name, in the same order on every machine. Files are not opened.
    labels : ndarray of shape (n_pictures,), str
        Names of the folders they lie in.

    Raises
    ------
    ValueError
        When there is no folder for a class, or one without pictures, or pictures lie deeper.
    OSError
        When a folder cannot be read.

    See Also
    --------
    sklearn.datasets.load_files : The same for texts, with their content.

    Notes
    -----
    Pictures are told by the endings of their names, in upper or lower case. Other files are left
    out, and so are pictures beside the folders, and names that begin with a dot.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> from layup_sklearn.datasets import load_image_folder
    >>> with TemporaryDirectory() as folder:
    ...     for name in "owl/2.png", "owl/1.jpg", "cat/1.jpg":
    ...         Path(folder, name).parent.mkdir(exist_ok=True)
    ...         Image.new("RGB", (8, 8)).save(Path(folder, name))
    ...     paths, labels = load_image_folder(folder)
    >>> [Path(path).name for path in paths]
    ['1.jpg', '1.jpg', '2.png']
    >>> labels
    array(['cat', 'owl', 'owl'], dtype='<U3')
    """
    root = Path(folder)
    names = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and _shown(entry.name))
    if not names:
        raise ValueError(
            f"{root} holds no folders: expected one for each class, such as {root / 'cat' / '1.jpg'}. "
            "Where it holds the pictures of one class, give the folder above."
        )
    if classes is not None:
        if not len(classes):
            raise ValueError("classes is empty: name some of the folders, or None for all.")
        if unknown := [name for name in classes if name not in names]:
            raise ValueError(f"{root} holds no folder {unknown[0]!r}; it has {', '.join(names)}.")
        names = [name for name in names if name in classes]
    pictures = [_pictures(root / name) for name in names]
    paths = [path for of_class in pictures for path in of_class]
    return np.array(paths, dtype=object), np.repeat(names, [len(part) for part in pictures])


def _shown(name):
    return not name.startswith(".")


def _pictures(folder):
    """Sorted paths of the pictures that lie right in a folder."""
    suffixes = {suffix for suffix, name in Image.registered_extensions().items() if name in FORMATS}
    found = {}
    for parent, folders, files in os.walk(folder, onerror=_raise, followlinks=True):
        folders[:] = filter(_shown, folders)
        pictures = [name for name in files if Path(name).suffix.lower() in suffixes]
        found[parent] = [os.path.join(parent, name) for name in sorted(filter(_shown, pictures))]
    pictures = found.pop(str(folder))
    if deeper := [paths[0] for paths in found.values() if paths]:
        raise ValueError(
            f"{min(deeper)} lies too deep: pictures must lie right in the folder of their class. "
            "Give the folder whose folders are the classes."
        )
    if not pictures:
        others = {Path(name).suffix for name in os.listdir(folder) if _shown(name)}
        raise ValueError(
            f"{folder} holds no pictures"
            + (f", only files that end in {', '.join(sorted(others))}." if any(others) else ".")
        )
    return pictures


def _raise(error):
    raise error


def as_X_y(
    dataset: Rows, columns: tuple[str, str] = ("image", "label")
) -> tuple[Sequence[Any], NDArray[Any]]:
    """Split a data set into its samples and its labels.

    Parameters
    ----------
    dataset : sequence of n_samples rows
        Each a pair (sample, label), as in data sets of torchvision or torch, or a dict, as in
        those of Hugging Face.
    columns : tuple of two str, default=("image", "label")
        Names of sample and label in rows that are dicts.

    Returns
    -------
    X : sequence of n_samples samples
        Read from the data set one by one when they are asked for.
    y : ndarray of shape (n_samples,)
        Labels as the data set gives them, numbers as a rule; ``np.array(dataset.classes)[y]`` are
        the names in torchvision, ``dataset.features["label"].int2str(y)`` in Hugging Face.

    Raises
    ------
    ValueError
        When the rows are not pairs, have other columns, or the labels cannot be used.

    See Also
    --------
    partial_fit_batches : Learns from a data set that is larger than memory.

    Notes
    -----
    No sample is decoded twice. Labels are taken from the column of a Hugging Face data set, or
    from `targets`, where torchvision keeps them, also through torch's Subset. A data set that has
    neither is read once, and X is the list of its samples.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from layup_sklearn import LayUPClassifier
    >>> from layup_sklearn.datasets import as_X_y
    >>> digits = load_digits()
    >>> X, y = as_X_y(list(zip(digits.data, digits.target)))
    >>> LayUPClassifier().fit(X, y).score(X, y) > 0.95
    True
    """
    if hasattr(dataset, "iloc"):
        raise ValueError("This is a table: its columns are X and y, table[name].")
    if hasattr(dataset, "keys"):
        raise ValueError(f"This is a dict of data sets: give one of them, of {list(dataset)}.")
    labels = _known_labels(dataset, columns)
    if labels is not None:
        return _Samples(dataset, columns), check_labels([plain_label(label) for label in labels])
    pairs = [_pair(row, columns) for row in _rows(dataset)]
    return [sample for sample, _ in pairs], check_labels([plain_label(label) for _, label in pairs])


class _Samples(Sequence):
    """The samples of a data set, read when they are asked for."""

    def __init__(self, dataset, columns):
        self.dataset, self.columns = dataset, columns

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        index = range(len(self))[index]
        if isinstance(index, range):
            return [self[i] for i in index]
        return _pair(self.dataset[index], self.columns)[0]


def _known_labels(dataset, columns):
    """Labels that can be had without the samples, else None."""
    if hasattr(dataset, "column_names"):  # of Hugging Face
        _pair(dict.fromkeys(dataset.column_names), columns)
        return list(dataset[columns[1]])
    if hasattr(dataset, "dataset") and hasattr(dataset, "indices"):  # torch's Subset
        labels = _known_labels(dataset.dataset, columns)
        return labels and [labels[i] for i in dataset.indices]
    targets = getattr(dataset, "targets", None)  # of torchvision, where they need not be labels
    if targets is None or len(targets) == 0 or getattr(dataset, "target_transform", None):
        return None
    is_label = len(targets) == len(dataset) and np.array_equal(targets[0], dataset[0][1])
    return list(targets) if is_label else None


def partial_fit_batches(
    classifier: Classifier,
    batches: Iterable[Any] | Rows,
    *,
    columns: tuple[str, str] = ("image", "label"),
    batch_size: int = 1024,
    verbose: int = 1,
) -> Classifier:
    """Learn batch by batch, from a loader, a generator or a data set.

    Parameters
    ----------
    classifier : LayUPClassifier
        Or any estimator whose ``partial_fit(X, y)`` wants nothing else. Fitted in place, on
        top of what it knows.
    batches : iterable
        Batches (X, y), such as a DataLoader of torch or a generator, or single pairs (sample,
        label), such as a data set of torchvision. Both may be dicts, as in Hugging Face's
        data sets.
    columns : tuple of two str, default=("image", "label")
        Names of sample and label in dicts.
    batch_size : int, default=1024
        How many single pairs are a batch; so many samples are in memory at a time.
    verbose : int, default=1
        1 shows a progress bar, with a total where `batches` has a length.

    Returns
    -------
    classifier : LayUPClassifier
        The same object.

    Raises
    ------
    ValueError
        For a batch that cannot be used, or when there is none.

    See Also
    --------
    layup_sklearn.parallel_fit : Learns shards side by side.

    Notes
    -----
    An error says how many samples were learned before it; these stay learned. An encoder that
    is fitted, such as AdaptedImageEncoder, is fitted on the first batch.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.utils import gen_batches
    >>> from layup_sklearn import LayUPClassifier
    >>> from layup_sklearn.datasets import partial_fit_batches
    >>> X, y = load_digits(return_X_y=True)
    >>> batches = ((X[rows], y[rows]) for rows in gen_batches(len(y), 500))
    >>> classifier = partial_fit_batches(LayUPClassifier(), batches, verbose=0)
    >>> classifier.score(X, y) > 0.95
    True
    """
    from tqdm.auto import tqdm

    check_argument("batch_size", batch_size, POSITIVE)
    batches, n_batches = _as_batches(batches, columns, batch_size)
    n_learned = 0
    try:
        for X, y in tqdm(batches, total=n_batches, unit="batch", disable=not verbose):
            classifier.partial_fit(X, y)
            n_learned += len(y)
    except Exception as error:
        error.add_note(f"{n_learned} samples were learned before this error and stay learned.")
        raise
    return classifier


def _as_batches(batches, columns, batch_size):
    """An iterator of (X, y), and its length or None."""
    length = length_hint(batches) or None
    rows = iter(_rows(batches))
    first = next(rows, None)
    if first is None:
        raise ValueError("batches is empty: there is nothing to learn.")
    pairs = (_pair(row, columns) for row in chain([first], rows))
    if np.ndim(_pair(first, columns)[1]):
        return pairs, length
    parts = iter(lambda: list(islice(pairs, batch_size)), [])
    joined = (([x for x, _ in part], [plain_label(label) for _, label in part]) for part in parts)
    return joined, length and ceil(length / batch_size)


def _rows(dataset):
    """Rows by number where there is one for each; data sets of torch may not say where they end."""
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):
        return (dataset[i] for i in range(len(dataset)))
    return dataset


def _pair(row, columns):
    if hasattr(row, "keys"):
        if missing := [name for name in columns if name not in row]:
            raise ValueError(
                f"There is no column {missing[0]!r} among {list(row)}: "
                "say columns=(name of the samples, name of the labels)."
            )
        return tuple(row[name] for name in columns)
    if not isinstance(row, (tuple, list)) or len(row) != 2:
        raise ValueError(
            f"Expected pairs (sample, label) or batches (X, y), got a {type(row).__name__}"
            + (f" of {len(row)}." if hasattr(row, "__len__") else ".")
        )
    return row

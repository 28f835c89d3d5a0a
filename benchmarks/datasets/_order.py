"""The paper's order of the classes, and the counts of images that tell a copy of its data."""

import warnings

import numpy as np


def class_order(n_classes, seed=1993):
    """Order of arrival; equal to ``np.random.seed(seed); np.random.permutation(n_classes)``."""
    return np.random.RandomState(seed).permutation(n_classes)


def check_counts(
    name, dataset, *, n_classes, n_train=None, n_test=None, test_per_task=(), of="the paper's"
):
    """Warn, in one sentence, where a data set is not as large as the paper's.

    Parameters
    ----------
    name : str
    dataset : Dataset
    n_classes, n_train, n_test : int
        The paper's numbers of classes, training images and test images; None: not known.
    test_per_task : sequence of int
        Test images of each task, all tasks having equally many classes, in the data set's
        order or, where it has none, the one of seed 1993.
    of : str
        Whose data set the numbers are of.

    Notes
    -----
    With another number of classes the order is another one too: only that is said then.
    """
    found = len(np.unique(dataset.y_train))
    counts = [("classes", found, n_classes)]
    if found == n_classes:
        counts += [
            ("training images", len(dataset.y_train), n_train),
            ("test images", len(dataset.y_test), n_test),
        ]
        order = class_order(n_classes) if dataset.class_order is None else dataset.class_order
        per_class = np.bincount(dataset.y_test, minlength=n_classes)
        for task, expected in enumerate(test_per_task):
            classes = np.split(order, len(test_per_task))[task]
            counts.append((f"test images in task {task + 1}", per_class[classes].sum(), expected))
    differences = [
        f"{found} {what} instead of {expected}"
        for what, found, expected in counts
        if expected is not None and found != expected
    ]
    if differences:
        warnings.warn(f"{name} differs from {of}: {', '.join(differences)}.", stacklevel=3)

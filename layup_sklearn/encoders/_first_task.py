"""The first task, from which a network is adapted: its labels, and what is held out of it."""

import warnings

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length


def split_rows(y, fraction, random_state):
    """Rows to train on and a stratified part to hold out.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    fraction : float
        Of all samples, to be held out.
    random_state : RandomState

    Returns
    -------
    train, held_out : ndarray of int
        At least one sample of every class is in `train`, so `held_out` may be smaller than
        asked for, or empty.
    """
    order = random_state.permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    spare = order[1:][y[order][1:] == y[order][:-1]]  # all but one sample of every class
    n_held_out = min(int(np.ceil(fraction * len(y))), len(spare))
    spread = (np.arange(n_held_out) + 0.5) * len(spare) / max(n_held_out, 1)
    held_out = spare[spread.astype(int)]
    return np.setdiff1d(order, held_out), np.sort(held_out)


def check_classes_of_images(y, images):
    """Numbers of the classes 0, 1, ..."""
    if y is None:
        raise ValueError(
            "This AdaptedImageEncoder estimator requires y to be passed, but the target y is "
            "None: it learns to tell classes apart."
        )
    y = column_or_1d(y, warn=True)
    check_consistent_length(images, y)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes")
        check_classification_targets(y)
    classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"y holds 1 class, {classes[0]!r}; adaptation learns to tell classes apart: let the "
            "first call hold at least two, or use ImageEncoder."
        )
    return labels

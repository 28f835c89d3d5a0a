"""The first task: its labels, what is held out of it, and what a network learns from it."""

import copy
import os
import warnings
from numbers import Integral

import joblib
import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from ._adapted_network import difference
from ._image_encoder import normalised
from ._torch import precision_on, random_numbers, training
from ._training import Training
from ._training_set import TrainingSet


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
            f"y holds 1 class, {classes[:1].tolist()[0]!r}; adaptation learns to tell classes apart: "
            "let the first call hold at least two, or use ImageEncoder."
        )
    return labels


def adapt(encoder, frozen, base, images, labels, rows, random_state):
    """Adapt a copy of a network to the first task.

    Parameters
    ----------
    encoder : AdaptedImageEncoder
        Its parameters are the recipe.
    frozen : ImageEncoder
    base : TimmNetwork
        That of `frozen`.
    images : list
    labels : ndarray of int of shape (n_images,)
    rows : tuple of ndarray (train, held_out)
    random_state : RandomState

    Returns
    -------
    state : dict of str to ndarray
        What differs in the copy, see `difference`.
    history : list of dict
        Of every epoch.
    """
    from ._adapters import ADAPTERS

    device = base.device
    preprocessing = frozen._preprocessing(frozen._network())
    data = TrainingSet.read(images, labels, rows, preprocessing[0])
    seed = random_state.randint(np.iinfo(np.int32).max)
    with training(device), random_numbers(seed, device):
        module = copy.deepcopy(base.module)
        history = Training(
            module,
            ADAPTERS[encoder.method](module),
            data,
            preprocessing,
            normalised,
            epochs=encoder.epochs,
            learning_rate=encoder.learning_rate,
            patience=encoder.patience,
            precision=precision_on(device, frozen.precision),
            checkpoint=_checkpoint(encoder, frozen, data),
            verbose=frozen.verbose,
        ).run()
        return difference(base.module, module), history


def _checkpoint(encoder, frozen, data):
    """File for a training that would be the same in another run; None where there is none."""
    folder = getattr(frozen.memory, "location", frozen.memory)
    if folder is None or not isinstance(encoder.random_state, Integral):
        return None
    names = ("method", "epochs", "learning_rate", "patience", "random_state")
    space = frozen._space(frozen._network())
    parts = [space, *(getattr(encoder, name) for name in names), joblib.hash(data)]
    return os.path.join(os.fspath(folder), f"adaptation-{joblib.hash(parts)}.pt")

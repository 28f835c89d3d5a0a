"""A batch learned on top of a model, with or without a choice on its folds."""

import numpy as np

from ._folds import choose_by_folds
from ._model import Model
from ._rows import Batch
from ._solution import Settings, leading_columns
from ._validation import check_folds


def learned(
    model: Model,
    classes,
    batch: Batch,
    batches,
    settings: Settings,
    cv=None,
    priors=None,
    n_rows=None,
) -> Model:
    """The model that has seen a batch.

    Parameters
    ----------
    model : Model
    classes : ndarray of shape (n_classes,)
        Labels of before and of the batch.
    batch : Batch
    batches : iterable of (X, y, sample_weight)
        Its samples as features, chunk by chunk.
    settings : Settings
    cv : int, splitter or iterable of (train, test), default=None
        Folds, where ``settings.by_folds``.
    priors : None, "uniform" or mapping of label -> share
        What candidates are compared with on the folds.
    n_rows : int, default=None
        Samples in all batches, so that few of them may wait. None: they are folded at once.
    """
    if not settings.by_folds:
        return model.learned(classes, batches, n_rows)
    old = model.folded().statistics.with_classes(classes)
    X = np.concatenate([features for features, _, _ in batches]).astype(np.float64, copy=False)
    y, weight = batch.y, batch.sample_weight
    new = model.replaced(old.add_samples(X, y, weight))
    columns = leading_columns(settings.n_layers, model)
    if splits := check_folds(cv, X, y, batch.kept):
        rule = settings.rule, priors
        choice = choose_by_folds(old, X, y, weight, splits, columns, settings.ridges, *rule)
        return new.replaced(new.statistics, choice)
    return new

"""Tasks made harder: classes that come back, are rare, or bring few samples; wrong labels."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from ._labels import check_labels
from ._tasks import whole_tasks
from ._typing import RandomState, Tasks


def blurry_tasks(tasks: Tasks, share: float = 0.3, *, random_state: RandomState = None) -> Tasks:
    """Classes come back: a share of each task's training samples arrives in other tasks.

    Parameters
    ----------
    tasks : list of (train, test)
        Index arrays, of the task makers here.
    share : float, default=0.3
        Share of the training samples of each task that is dealt to the other tasks at random,
        between 0 and 1.
    random_state : int, RandomState instance or None, default=None
        For the samples that leave and where they go.

    Returns
    -------
    tasks : list of (train, test)
        As many, with the same test samples; every training sample is in one task.

    Raises
    ------
    ValueError
        When `share` is not between 0 and 1.

    See Also
    --------
    class_incremental_tasks : Tasks of new classes each.
    long_tailed_tasks : Classes of unequal size.
    few_shot_tasks : Few samples of later classes.

    Notes
    -----
    Generalised class-incremental learning: a task brings new classes and more samples of others,
    old and to come, as the "blurry" classes of Koh et al., "Online continual learning on class
    incremental blurry task configuration with anytime inference", ICLR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn.evaluation import blurry_tasks
    >>> tasks = [(np.arange(4), np.arange(2)), (np.arange(4, 8), np.arange(2, 4))]
    >>> [train.tolist() for train, test in blurry_tasks(tasks, 0.25, random_state=0)]
    [[0, 1, 3, 4], [2, 5, 6, 7]]
    """
    _check_between(share, "share", 0, 1)
    tasks, rng = whole_tasks(tasks), check_random_state(random_state)
    arriving = [[] for _ in tasks]
    for t, (train, _) in enumerate(tasks):
        shuffled = train[rng.permutation(len(train))]
        n_leaving = round(share * len(train)) if len(tasks) > 1 else 0
        arriving[t].append(shuffled[n_leaving:])
        others = np.delete(np.arange(len(tasks)), t)
        goes_to = rng.choice(others, n_leaving) if n_leaving else []
        for row, other in zip(shuffled[:n_leaving], goes_to):
            arriving[other].append([row])
    return [
        (np.sort(np.concatenate(parts).astype(np.intp)), test)
        for parts, (_, test) in zip(arriving, tasks)
    ]


def long_tailed_tasks(
    tasks: Tasks,
    y_train: ArrayLike,
    ratio: float = 20.0,
    *,
    ordered: bool = False,
    random_state: RandomState = None,
) -> Tasks:
    """Classes of unequal size: training samples are left out, the test stays balanced.

    Parameters
    ----------
    tasks : list of (train, test)
        Index arrays, of :func:`class_incremental_tasks` or :func:`domain_incremental_tasks`.
    y_train : array-like of shape (n_train,)
        Labels of the training samples.
    ratio : float, default=20.0
        Share that the largest class keeps over the share of the smallest one; at least 1.
    ordered : bool, default=False
        Whether classes shrink in the order in which they arrive, the first one whole; in
        the same task by their labels. False: in a random order.
    random_state : int, RandomState instance or None, default=None
        For the order of the classes and the samples that stay.

    Returns
    -------
    tasks : list of (train, test)
        Of K classes the one of rank k keeps ratio ** (-k / (K - 1)) of its training samples in
        every task, rounded, at least one.

    Raises
    ------
    ValueError
        When `ratio` is below 1.

    See Also
    --------
    blurry_tasks : Classes come back.
    few_shot_tasks : Few samples of later classes.

    Notes
    -----
    The exponential profile of Cao et al., "Learning imbalanced datasets with
    label-distribution-aware margin loss", NeurIPS 2019; ordered and shuffled streams as in Liu
    et al., "Long-tailed class incremental learning", ECCV 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn.evaluation import class_incremental_tasks, long_tailed_tasks
    >>> y = np.repeat(["a", "b", "c"], 16)
    >>> tasks = class_incremental_tasks(y, y, 3, class_order=["a", "b", "c"])
    >>> [len(train) for train, test in long_tailed_tasks(tasks, y, 16, ordered=True, random_state=0)]
    [16, 4, 1]
    """
    _check_between(ratio, "ratio", 1, np.inf)
    tasks, rng = whole_tasks(tasks), check_random_state(random_state)
    y_train = check_labels(y_train, "y_train")
    arrival = [label for train, _ in tasks for label in np.unique(y_train[train])]
    classes = np.array(list(dict.fromkeys(arrival)))
    ranks = np.arange(len(classes)) if ordered else rng.permutation(len(classes))
    kept = dict(zip(classes, ratio ** -(ranks / max(len(classes) - 1, 1))))
    sizes = _class_sizes(tasks, y_train)
    wanted = [{c: max(round(kept[c] * n), 1) for c, n in size.items()} for size in sizes]
    return _with_sizes(tasks, y_train, wanted, rng)


def few_shot_tasks(
    tasks: Tasks, y_train: ArrayLike, n_shots: int = 5, *, random_state: RandomState = None
) -> Tasks:
    """A rich first task, then few samples of a class.

    Parameters
    ----------
    tasks : list of (train, test)
        Index arrays, of the task makers here.
    y_train : array-like of shape (n_train,)
        Labels of the training samples.
    n_shots : int, default=5
        Training samples of a class, at most, in every task but the first; at least 1.
    random_state : int, RandomState instance or None, default=None
        For the samples that stay.

    Returns
    -------
    tasks : list of (train, test)
        The first one as it was; test samples as they were.

    Raises
    ------
    ValueError
        When `n_shots` is below 1.

    See Also
    --------
    blurry_tasks : Classes come back.
    long_tailed_tasks : Classes of unequal size.

    Notes
    -----
    Tao et al., "Few-shot class-incremental learning", CVPR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn.evaluation import class_incremental_tasks, few_shot_tasks
    >>> y = np.repeat(["a", "b", "c"], 16)
    >>> tasks = class_incremental_tasks(y, y, 3, random_state=0)
    >>> [len(train) for train, test in few_shot_tasks(tasks, y, 5, random_state=0)]
    [16, 5, 5]
    """
    _check_between(n_shots, "n_shots", 1, np.inf)
    tasks, rng = whole_tasks(tasks), check_random_state(random_state)
    y_train = check_labels(y_train, "y_train")
    sizes = _class_sizes(tasks, y_train)
    wanted = sizes[:1] + [{c: min(n, n_shots) for c, n in size.items()} for size in sizes[1:]]
    return _with_sizes(tasks, y_train, wanted, rng)


def noisy_labels(
    y: ArrayLike, share: float = 0.2, *, random_state: RandomState = None
) -> NDArray[Any]:
    """Labels of which a share is wrong: another one, each equally likely.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Right labels, of two classes at least.
    share : float, default=0.2
        Share of labels that become wrong, between 0 and 1, rounded to whole samples.
    random_state : int, RandomState instance or None, default=None
        For the samples and their new labels.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        A copy.

    Raises
    ------
    ValueError
        When `share` is not between 0 and 1, or there is one class only.

    See Also
    --------
    class_incremental_tasks : Made of the right labels, for then the noise stays out of the tasks.

    Notes
    -----
    Symmetric noise. In a class-incremental stream a wrong label may be that of a class to come:
    draw the noise within each task, ``y[train] = noisy_labels(y[train], ...)``, where labels can
    only be confused with those that are there.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn.evaluation import noisy_labels
    >>> y = np.array(["a", "b"] * 10)
    >>> int((noisy_labels(y, 0.2, random_state=0) != y).sum())
    4
    """
    _check_between(share, "share", 0, 1)
    y, rng = check_labels(y), check_random_state(random_state)
    classes, codes = np.unique(y, return_inverse=True)
    wrong = rng.permutation(len(y))[: round(share * len(y))]
    if len(classes) < 2 and len(wrong):
        raise ValueError("y holds one class: no label can be wrong.")
    if len(wrong):
        codes[wrong] = (codes[wrong] + rng.randint(1, len(classes), len(wrong))) % len(classes)
    return classes[codes]


def _check_between(value, name, low, high):
    if not low <= value <= high:
        end = f"between {low} and {high}" if np.isfinite(high) else f"at least {low}"
        raise ValueError(f"{name} must be {end}, got {value!r}.")


def _class_sizes(tasks, y_train):
    """Of each task, the number of training samples of its classes, by label."""
    return [dict(zip(*np.unique(y_train[train], return_counts=True))) for train, _ in tasks]


def _with_sizes(tasks, y_train, wanted, rng):
    """Tasks of the wanted number of training samples of each class, drawn at random."""
    smaller = []
    for (train, test), sizes in zip(tasks, wanted):
        shuffled = train[rng.permutation(len(train))]
        kept = [shuffled[y_train[shuffled] == label][:n] for label, n in sizes.items()]
        smaller.append((np.sort(np.concatenate([train[:0], *kept])), test))
    return smaller

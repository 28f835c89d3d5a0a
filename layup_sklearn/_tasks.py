"""How samples arrive: tasks as pairs of index arrays (train, test)."""

from operator import index

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.validation import column_or_1d

from ._labels import check_labels, union_of_labels
from ._typing import Batches, RandomState, Rows, Tasks


def whole_tasks(tasks: Tasks) -> Tasks:
    """Tasks with index arrays, whatever sequences of row numbers, or masks, were given."""
    return [
        (_rows(train, f"tasks[{t}]"), _rows(test, f"tasks[{t}]"))
        for t, (train, test) in enumerate(tasks)
    ]


def batched_tasks(tasks: Tasks | Batches) -> Batches:
    """The same, the training samples of each task in a list of batches."""
    batched = []
    for t, (train, test) in enumerate(tasks):
        parts = train if _is_cut(train) else [train]
        batched.append(([_rows(part, f"tasks[{t}]") for part in parts], _rows(test, f"tasks[{t}]")))
    if not batched:
        raise ValueError("tasks is empty: there is nothing to learn.")
    return batched


def _is_cut(train):
    return isinstance(train, (list, tuple)) and len(train) > 0 and np.ndim(train[0]) == 1


def _rows(rows, place) -> Rows:
    if _is_cut(rows):
        raise ValueError(f"{place} is cut into batches already: that is the last thing to do.")
    rows = np.asarray(rows)
    if rows.dtype == bool:
        return np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise ValueError(f"{place} must be (rows of training samples, rows of test samples).")
    return rows.astype(np.intp, copy=False)


def check_both(y_train, y_test):
    """Labels of one kind on both sides, as arrays."""
    y_train, y_test = check_labels(y_train, "y_train"), check_labels(y_test, "y_test")
    union_of_labels(y_train, y_test)
    return y_train, y_test


def class_incremental_tasks(
    y_train: ArrayLike,
    y_test: ArrayLike,
    n_tasks: int,
    *,
    class_order: ArrayLike | None = None,
    first_task_size: int | None = None,
    random_state: RandomState = None,
) -> Tasks:
    """Tasks of new classes each.

    Parameters
    ----------
    y_train, y_test : array-like of shape (n_samples,)
        Labels of the training and of the test samples.
    n_tasks : int
        Classes are dealt to the tasks as evenly as they go, larger tasks first.
    class_order : array-like of shape (n_classes,), default=None
        Labels in the order they arrive; None draws an order.
    first_task_size : int, default=None
        Number of classes of the first task; the others share the rest.
    random_state : int, RandomState instance or None, default=None
        For the order of the classes. ``random_state=1993`` is the order of the paper.

    Returns
    -------
    tasks : list of (train, test)
        Index arrays into the training and the test samples, ascending.

    Raises
    ------
    ValueError
        When there are more tasks than classes, or `class_order` does not hold every label
        of `y_train` once.

    See Also
    --------
    domain_incremental_tasks : Tasks of the same classes in a new domain each.
    online_batches : Cuts tasks into small batches.
    blurry_tasks, long_tailed_tasks, few_shot_tasks : Make tasks harder.
    evaluate_continual : Learns tasks and measures what is still known.

    Examples
    --------
    >>> from layup_sklearn.evaluation import class_incremental_tasks
    >>> y = ["a", "b", "c", "a"]
    >>> tasks = class_incremental_tasks(y, y, 2, class_order=["c", "a", "b"])
    >>> [train.tolist() for train, test in tasks]
    [[0, 2, 3], [1]]
    """
    y_train, y_test = check_both(y_train, y_test)
    classes = np.unique(y_train)
    if class_order is None:
        class_order = classes[check_random_state(random_state).permutation(len(classes))]
    class_order = np.asarray(list(class_order))
    if not np.array_equal(np.sort(class_order), classes):
        raise ValueError("class_order must hold every label of y_train exactly once.")
    first = [] if first_task_size is None else [class_order[:first_task_size]]
    rest = class_order[first_task_size or 0 :]
    n_left = index(n_tasks) - len(first)
    dealt = 1 <= n_left <= len(rest) or (first and n_left == len(rest) == 0)
    if not dealt or (first and not 1 <= first_task_size <= len(classes)):
        raise ValueError(
            f"{len(classes)} classes cannot be dealt to {n_tasks} tasks"
            + (f", {first_task_size} of them to the first." if first else ".")
        )
    others = np.array_split(rest, n_left) if n_left else []
    return [_rows_among(y_train, y_test, part) for part in (*first, *others)]


def domain_incremental_tasks(
    domain_train: ArrayLike, domain_test: ArrayLike, *, domains: ArrayLike | None = None
) -> Tasks:
    """Tasks of the same classes in a new domain each.

    Parameters
    ----------
    domain_train, domain_test : array-like of shape (n_samples,)
        Names of the domains of the training and of the test samples.
    domains : array-like of shape (n_domains,), default=None
        Order in which they arrive; None: sorted.

    Returns
    -------
    tasks : list of (train, test)
        Index arrays, ascending.

    Raises
    ------
    ValueError
        When a domain has no training samples.

    See Also
    --------
    class_incremental_tasks : Tasks of new classes each.
    online_batches : Cuts tasks into small batches.
    evaluate_continual : Learns tasks and measures what is still known.

    Examples
    --------
    >>> from layup_sklearn.evaluation import domain_incremental_tasks
    >>> tasks = domain_incremental_tasks(["photo", "sketch", "photo"], ["sketch", "photo"])
    >>> [(train.tolist(), test.tolist()) for train, test in tasks]
    [([0, 2], [1]), ([1], [0])]
    """
    domain_train, domain_test = column_or_1d(domain_train), column_or_1d(domain_test)
    domains = np.unique(domain_train) if domains is None else np.asarray(domains)
    missing = [str(domain) for domain in domains if domain not in domain_train]
    if missing:
        raise ValueError(f"Domains without training samples: {', '.join(missing)}.")
    return [_rows_among(domain_train, domain_test, [domain]) for domain in domains]


def _rows_among(train, test, values):
    return np.flatnonzero(np.isin(train, values)), np.flatnonzero(np.isin(test, values))


def online_batches(tasks: Tasks, batch_size: int, *, random_state: RandomState = None) -> Batches:
    """One pass in small batches: each task's training samples shuffled and cut.

    Parameters
    ----------
    tasks : list of (train, test)
        Index arrays, of the task makers here.
    batch_size : int
        Training samples in a batch; the last one of a task may be smaller.
    random_state : int, RandomState instance or None, default=None
        For the order of the samples within each task.

    Returns
    -------
    tasks : list of (batches, test)
        `batches` is a list of index arrays, one for each call of ``partial_fit``.

    See Also
    --------
    class_incremental_tasks : Tasks of new classes each.
    domain_incremental_tasks : Tasks of the same classes in a new domain each.
    evaluate_continual : Learns tasks and measures what is still known.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn.evaluation import online_batches
    >>> tasks = [(np.arange(5), np.arange(2))]
    >>> [(batches, test)] = online_batches(tasks, 2, random_state=0)
    >>> [rows.tolist() for rows in batches]
    [[2, 0], [1, 3], [4]]
    """
    rng = check_random_state(random_state)
    online = []
    for train, test in whole_tasks(tasks):
        train = train[rng.permutation(len(train))]
        online.append(([train[rows] for rows in gen_batches(len(train), batch_size)], test))
    return online

"""Continual evaluation: how samples arrive, and what is still known afterwards.

A task is a pair of index arrays (train, test) into the training and the test samples. Works
with any classifier that has ``partial_fit``.
"""

from dataclasses import dataclass
from inspect import signature
from time import perf_counter

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.validation import check_consistent_length, column_or_1d

from ._displays import (
    AccuracyCurvesDisplay,
    AccuracyMatrixDisplay,
    LayerCountDisplay,
    RidgePathDisplay,
)
from ._labels import check_labels, union_of_labels
from ._validation import safe_indexing

__all__ = [
    "AccuracyCurvesDisplay",
    "AccuracyMatrixDisplay",
    "ContinualResult",
    "LayerCountDisplay",
    "RidgePathDisplay",
    "average_accuracy",
    "backward_transfer",
    "class_incremental_tasks",
    "domain_incremental_tasks",
    "evaluate_continual",
    "forgetting",
    "online_batches",
]


def _check_both(y_train, y_test):
    """Labels of one kind on both sides, as arrays."""
    y_train, y_test = check_labels(y_train, "y_train"), check_labels(y_test, "y_test")
    union_of_labels(y_train, y_test)
    return y_train, y_test


def class_incremental_tasks(
    y_train, y_test, n_tasks, *, class_order=None, first_task_size=None, random_state=None
):
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
    evaluate_continual : Learns tasks and measures what is still known.

    Examples
    --------
    >>> from layup_sklearn.evaluation import class_incremental_tasks
    >>> y = ["a", "b", "c", "a"]
    >>> tasks = class_incremental_tasks(y, y, 2, class_order=["c", "a", "b"])
    >>> [train.tolist() for train, test in tasks]
    [[0, 2, 3], [1]]
    """
    y_train, y_test = _check_both(y_train, y_test)
    classes = np.unique(y_train)
    if class_order is None:
        class_order = classes[check_random_state(random_state).permutation(len(classes))]
    class_order = np.asarray(list(class_order))
    if not np.array_equal(np.sort(class_order), classes):
        raise ValueError("class_order must hold every label of y_train exactly once.")
    first = [] if first_task_size is None else [class_order[:first_task_size]]
    rest = class_order[first_task_size or 0 :]
    n_left = n_tasks - len(first)
    dealt = 1 <= n_left <= len(rest) or (first and n_left == len(rest) == 0)
    if not dealt or (first and not 1 <= first_task_size <= len(classes)):
        raise ValueError(
            f"{len(classes)} classes cannot be dealt to {n_tasks} tasks"
            + (f", {first_task_size} of them to the first." if first else ".")
        )
    others = np.array_split(rest, n_left) if n_left else []
    return [_rows_among(y_train, y_test, part) for part in (*first, *others)]


def domain_incremental_tasks(domain_train, domain_test, *, domains=None):
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


def online_batches(tasks, batch_size, *, random_state=None):
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
    for train, test in tasks:
        train = train[rng.permutation(len(train))]
        online.append(([train[rows] for rows in gen_batches(len(train), batch_size)], test))
    return online


def average_accuracy(accuracy_matrix):
    """Mean over the tasks learned so far, after every task.

    Parameters
    ----------
    accuracy_matrix : array-like of shape (n_tasks, n_tasks)
        R[t, i], the accuracy on the test samples of task i after learning task t.

    Returns
    -------
    accuracy : ndarray of shape (n_tasks,)
        A_t = mean over i <= t of R[t, i]: its last entry is the final accuracy, its mean
        the average accuracy of the field.

    See Also
    --------
    forgetting : Mean loss since the best accuracy.
    backward_transfer : Mean change since the task was learned.
    ContinualResult : Holds the accuracy matrix of a stream, and all these scores.

    Examples
    --------
    >>> from numpy import nan
    >>> from layup_sklearn.evaluation import average_accuracy
    >>> average_accuracy([[0.75, nan, nan], [1.0, 1.0, nan], [0.5, 0.75, 1.0]])
    array([0.75, 1.  , 0.75])
    """
    matrix = np.asarray(accuracy_matrix)
    return np.array([matrix[t, : t + 1].mean() for t in range(len(matrix))])


def forgetting(accuracy_matrix):
    """Mean loss since the best accuracy, over all tasks but the last.

    Parameters
    ----------
    accuracy_matrix : array-like of shape (n_tasks, n_tasks)
        R[t, i], the accuracy on the test samples of task i after learning task t; NaN where
        it was not measured.

    Returns
    -------
    forgetting : float
        Mean over i < T of max_(t < T) R[t, i] - R[T, i] (Chaudhry et al., "Riemannian walk
        for incremental learning", ECCV 2018); 0.0 for one task. In a class-incremental
        stream it is above zero even where nothing is forgotten: later classes are more to
        be confused with.

    See Also
    --------
    average_accuracy : Mean over the tasks learned so far.
    backward_transfer : Mean change since the task was learned.
    ContinualResult : Holds the accuracy matrix of a stream, and all these scores.

    Examples
    --------
    >>> from numpy import nan
    >>> from layup_sklearn.evaluation import forgetting
    >>> forgetting([[0.75, nan, nan], [1.0, 1.0, nan], [0.5, 0.75, 1.0]])
    0.375
    """
    matrix = np.asarray(accuracy_matrix)
    if len(matrix) < 2:
        return 0.0
    return float(np.mean(np.nanmax(matrix[:-1, :-1], axis=0) - matrix[-1, :-1]))


def backward_transfer(accuracy_matrix):
    """Mean change since the task was learned, over all tasks but the last.

    Parameters
    ----------
    accuracy_matrix : array-like of shape (n_tasks, n_tasks)
        R[t, i], the accuracy on the test samples of task i after learning task t.

    Returns
    -------
    transfer : float
        Mean over i < T of R[T, i] - R[i, i] (Lopez-Paz and Ranzato, "Gradient episodic
        memory", NeurIPS 2017); 0.0 for one task.

    See Also
    --------
    average_accuracy : Mean over the tasks learned so far.
    forgetting : Mean loss since the best accuracy.
    ContinualResult : Holds the accuracy matrix of a stream, and all these scores.

    Examples
    --------
    >>> from numpy import nan
    >>> from layup_sklearn.evaluation import backward_transfer
    >>> backward_transfer([[0.75, nan, nan], [1.0, 1.0, nan], [0.5, 0.75, 1.0]])
    -0.25
    """
    matrix = np.asarray(accuracy_matrix)
    if len(matrix) < 2:
        return 0.0
    return float(np.mean(matrix[-1, :-1] - matrix.diagonal()[:-1]))


@dataclass(eq=False)
class ContinualResult:
    """What a stream left behind.

    Parameters
    ----------
    accuracy_matrix : ndarray of shape (n_tasks, n_tasks)
        R[t, i], accuracy on the test samples of task i after learning task t; NaN for i > t.
    n_test : ndarray of shape (n_tasks,)
        Test samples of each task.
    fit_time, score_time : ndarray of shape (n_tasks,)
        Seconds to learn each task, and to score all tasks so far.
    estimator : estimator
        Fitted on all tasks.

    Attributes
    ----------
    accuracy, weighted_accuracy : ndarray of shape (n_tasks,)
        After each task: mean over the tasks so far, and over their samples.
    final_accuracy, average_accuracy : float
        Last entry and mean of `accuracy`.
    forgetting, backward_transfer : float
        See the functions of these names.

    See Also
    --------
    evaluate_continual : Makes it.
    AccuracyMatrixDisplay : Picture of its matrix.
    AccuracyCurvesDisplay : Picture of the `accuracy` of several.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn.evaluation import ContinualResult
    >>> matrix = np.array([[1.0, np.nan], [0.5, 1.0]])
    >>> times = np.array([0.1, 0.1])
    >>> result = ContinualResult(matrix, np.array([30, 10]), times, times, estimator=None)
    >>> result.accuracy, result.weighted_accuracy
    (array([1.  , 0.75]), array([1.   , 0.625]))
    >>> result.final_accuracy, result.average_accuracy, result.forgetting
    (0.75, 0.875, 0.5)
    """

    accuracy_matrix: np.ndarray
    n_test: np.ndarray
    fit_time: np.ndarray
    score_time: np.ndarray
    estimator: object

    @property
    def accuracy(self):
        return average_accuracy(self.accuracy_matrix)

    @property
    def weighted_accuracy(self):
        counts = np.tril(np.broadcast_to(self.n_test, self.accuracy_matrix.shape))
        return np.nansum(counts * self.accuracy_matrix, axis=1) / counts.sum(axis=1)

    @property
    def final_accuracy(self):
        return float(self.accuracy[-1])

    @property
    def average_accuracy(self):
        return float(self.accuracy.mean())

    @property
    def forgetting(self):
        return forgetting(self.accuracy_matrix)

    @property
    def backward_transfer(self):
        return backward_transfer(self.accuracy_matrix)


def evaluate_continual(
    estimator, tasks, X_train, y_train, X_test, y_test, *, callback=None, verbose=0
):
    """Learn task by task; after each, measure the accuracy on all tasks so far.

    Parameters
    ----------
    estimator : classifier with ``partial_fit``
        Cloned. Where its `partial_fit` takes `classes`, the first call names the labels of
        all tasks: most of scikit-learn's classifiers need them.
    tasks : list of (train, test)
        Index arrays, of the task makers here; `train` may be a list of batches.
    X_train : array-like of n_train samples
        Training samples; whatever the estimator takes.
    y_train : array-like of shape (n_train,)
        Labels of the training samples.
    X_test : array-like of n_test samples
        Test samples, of the same kind.
    y_test : array-like of shape (n_test,)
        Labels of the test samples.
    callback : callable, default=None
        ``callback(t, estimator)`` is called when task t is learned and scored, for
        measurements of one's own; its time is not counted. It is the same estimator each
        time: keep a ``copy.deepcopy``.
    verbose : int, default=0
        1 shows a progress bar over the calls of ``partial_fit``.

    Returns
    -------
    result : ContinualResult
        The accuracy matrix, what follows from it, times, and the fitted estimator.

    Raises
    ------
    ValueError
        For samples and labels of different numbers, or a task without test samples.

    See Also
    --------
    class_incremental_tasks : Tasks of new classes each.
    domain_incremental_tasks : Tasks of the same classes in a new domain each.
    online_batches : Cuts tasks into small batches.
    AccuracyMatrixDisplay : Picture of the result.

    Notes
    -----
    An encoder of this package without a cache is given a :class:`FeatureCache` in memory, so
    that the network embeds every image once, and not the test images of all tasks again
    after each.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from layup_sklearn import LayUPClassifier
    >>> from layup_sklearn.evaluation import class_incremental_tasks, evaluate_continual
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = class_incremental_tasks(y[:900], y[900:], 5, random_state=0)
    >>> result = evaluate_continual(LayUPClassifier(), tasks, X[:900], y[:900], X[900:], y[900:])
    >>> result.accuracy_matrix.shape
    (5, 5)
    >>> joint = LayUPClassifier().fit(X[:900], y[:900])
    >>> bool(abs(result.weighted_accuracy[-1] - joint.score(X[900:], y[900:])) < 1e-9)
    True
    """
    from tqdm.auto import tqdm

    from .encoders._base import with_memory

    check_consistent_length(X_train, y_train)
    check_consistent_length(X_test, y_test)
    y_train, y_test = _check_both(y_train, y_test)
    tasks = [(train if isinstance(train, list) else [train], test) for train, test in tasks]
    empty = [i for i, (_, test) in enumerate(tasks) if not len(test)]
    if empty:
        raise ValueError(f"tasks[{empty[0]}] has no test samples.")

    estimator = clone(estimator)
    with_memory(getattr(estimator, "encoder", None))
    first = {}
    if "classes" in signature(estimator.partial_fit).parameters:
        learned = np.concatenate([rows for batches, _ in tasks for rows in batches])
        first["classes"] = np.unique(y_train[learned])
    matrix = np.full((len(tasks), len(tasks)), np.nan)
    times = np.zeros((2, len(tasks)))
    n_calls = sum(len(batches) for batches, _ in tasks)
    with tqdm(total=n_calls, unit="batch", disable=not verbose) as progress:
        for t, (batches, _) in enumerate(tasks):
            start = perf_counter()
            for rows in batches:
                estimator.partial_fit(safe_indexing(X_train, rows), y_train[rows], **first)
                first = {}
                progress.update()
            with_memory(getattr(estimator, "encoder_", None))  # where it was given by name
            learned = perf_counter()
            for i, (_, test) in enumerate(tasks[: t + 1]):
                predicted = estimator.predict(safe_indexing(X_test, test))
                matrix[t, i] = np.mean(predicted == y_test[test])
            times[:, t] = learned - start, perf_counter() - learned
            if callback is not None:
                callback(t, estimator)
    n_test = np.array([len(test) for _, test in tasks])
    return ContinualResult(matrix, n_test, *times, estimator)

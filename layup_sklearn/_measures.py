"""Scores of continual learning, from accuracies and predicted labels."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_consistent_length

from ._labels import check_labels
from ._typing import Tasks


def _square(accuracy_matrix):
    matrix = np.asarray(accuracy_matrix, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"accuracy_matrix must be of shape (n_tasks, n_tasks), got {matrix.shape}."
        )
    return matrix


def average_accuracy(accuracy_matrix: ArrayLike) -> NDArray[np.float64]:
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
    forward_transfer : Accuracy on a task before it was learned.
    ContinualResult : Holds the accuracy matrix of a stream, and all these scores.

    Examples
    --------
    >>> from numpy import nan
    >>> from layup_sklearn.evaluation import average_accuracy
    >>> average_accuracy([[0.75, nan, nan], [1.0, 1.0, nan], [0.5, 0.75, 1.0]])
    array([0.75, 1.  , 0.75])
    """
    matrix = _square(accuracy_matrix)
    return np.array([matrix[t, : t + 1].mean() for t in range(len(matrix))])


def forgetting(accuracy_matrix: ArrayLike) -> float:
    """Mean loss since the best accuracy, over all tasks but the last.

    Parameters
    ----------
    accuracy_matrix : array-like of shape (n_tasks, n_tasks)
        R[t, i], the accuracy on the test samples of task i after learning task t; what is
        above the diagonal is not looked at.

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
    forward_transfer : Accuracy on a task before it was learned.
    ContinualResult : Holds the accuracy matrix of a stream, and all these scores.

    Examples
    --------
    >>> from numpy import nan
    >>> from layup_sklearn.evaluation import forgetting
    >>> forgetting([[0.75, nan, nan], [1.0, 1.0, nan], [0.5, 0.75, 1.0]])
    0.375
    """
    matrix = _square(accuracy_matrix)
    if len(matrix) < 2:
        return 0.0
    learned = np.tri(len(matrix) - 1, dtype=bool)
    best = np.where(learned, matrix[:-1, :-1], -np.inf).max(axis=0)
    return float(np.mean(best - matrix[-1, :-1]))


def backward_transfer(accuracy_matrix: ArrayLike) -> float:
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
    matrix = _square(accuracy_matrix)
    if len(matrix) < 2:
        return 0.0
    return float(np.mean(matrix[-1, :-1] - matrix.diagonal()[:-1]))


def forward_transfer(accuracy_matrix: ArrayLike, baseline: ArrayLike = 0.0) -> float:
    """Mean accuracy on a task before it is learned, over all tasks but the first.

    Parameters
    ----------
    accuracy_matrix : array-like of shape (n_tasks, n_tasks)
        R[t, i], the accuracy on the test samples of task i after learning task t, also above
        the diagonal: ``evaluate_continual(..., future=True)``.
    baseline : float or array-like of shape (n_tasks,), default=0.0
        Accuracy on each task without any learning, such as chance.

    Returns
    -------
    transfer : float
        Mean over i > 1 of R[i - 1, i] - baseline[i] (Lopez-Paz and Ranzato, "Gradient episodic
        memory", NeurIPS 2017); 0.0 for one task. It says something where domains change: a class
        that was not seen is never answered.

    Raises
    ------
    ValueError
        When accuracies on tasks to come were not measured.

    See Also
    --------
    backward_transfer : Mean change since the task was learned.
    evaluate_continual : Measures the matrix.

    Examples
    --------
    >>> from layup_sklearn.evaluation import forward_transfer
    >>> forward_transfer([[0.75, 0.5, 0.25], [1.0, 1.0, 0.75], [0.5, 0.75, 1.0]], baseline=0.25)
    0.375
    """
    matrix = _square(accuracy_matrix)
    if len(matrix) < 2:
        return 0.0
    before = matrix.diagonal(1)
    if np.isnan(before).any():
        raise ValueError(
            "accuracy_matrix holds no accuracies on tasks to come: evaluate_continual(future=True) "
            "measures them."
        )
    return float(np.mean(before - np.broadcast_to(baseline, len(matrix))[1:]))


def task_confusion(tasks: Tasks, y_test: ArrayLike, y_pred: ArrayLike) -> NDArray[np.float64]:
    """Which tasks the answers belong to, where every task has classes of its own.

    Parameters
    ----------
    tasks : list of (train, test)
        Index arrays of :func:`class_incremental_tasks`.
    y_test : array-like of shape (n_test,)
        Labels of the test samples.
    y_pred : array-like of shape (n_test,)
        Predicted labels of the test samples.

    Returns
    -------
    confusion : ndarray of shape (n_tasks, n_tasks)
        Share of the test samples of task i (row) that are given a label of task j (column). A
        row of a task that has samples sums to 1, less the labels of no task.

    Raises
    ------
    ValueError
        When a class belongs to several tasks.

    See Also
    --------
    AccuracyMatrixDisplay : Draws it, ``AccuracyMatrixDisplay(confusion)``.
    sklearn.metrics.confusion_matrix : The same over classes.

    Notes
    -----
    Accuracy = P(task is right) P(label is right | task is right): the diagonal is the first
    factor, the second is the accuracy on a task over its diagonal entry.

    Examples
    --------
    >>> from layup_sklearn.evaluation import class_incremental_tasks, task_confusion
    >>> y = ["a", "b", "c", "d"]
    >>> tasks = class_incremental_tasks(y, y, 2, class_order=["a", "b", "c", "d"])
    >>> task_confusion(tasks, y, ["b", "c", "c", "d"])
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    y_test, y_pred = check_labels(y_test, "y_test"), check_labels(y_pred, "y_pred")
    check_consistent_length(y_test, y_pred)
    confusion, task_of = np.zeros((len(tasks), len(tasks))), {}
    for t, (_, test) in enumerate(tasks):
        for label in np.unique(y_test[test]):
            if task_of.setdefault(label, t) != t:
                raise ValueError(f"Class {label!s} belongs to several tasks.")
    for t, (_, test) in enumerate(tasks):
        answered = [task_of[label] for label in y_pred[test] if label in task_of]
        counts = np.bincount(np.array(answered, dtype=int), minlength=len(tasks))
        confusion[t] = counts / max(len(test), 1)
    return confusion

"""Continual evaluation: how samples arrive, and what is still known afterwards.

A task is a pair of index arrays (train, test) into the training and the test samples. Works
with any classifier that has ``partial_fit``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_consistent_length

from ._displays import (
    AccuracyCurvesDisplay,
    AccuracyMatrixDisplay,
    LayerCountDisplay,
    RidgePathDisplay,
)
from ._measures import (
    average_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    task_confusion,
)
from ._protocols import blurry_tasks, few_shot_tasks, long_tailed_tasks, noisy_labels
from ._samples import apart
from ._tasks import (
    batched_tasks,
    check_both,
    class_incremental_tasks,
    domain_incremental_tasks,
    online_batches,
)
from ._typing import Batches, Rows, Samples, Tasks
from ._validation import safe_indexing

__all__ = [
    "AccuracyCurvesDisplay",
    "AccuracyMatrixDisplay",
    "ContinualResult",
    "LayerCountDisplay",
    "PrequentialResult",
    "RidgePathDisplay",
    "average_accuracy",
    "backward_transfer",
    "blurry_tasks",
    "class_incremental_tasks",
    "domain_incremental_tasks",
    "evaluate_continual",
    "evaluate_prequential",
    "few_shot_tasks",
    "forgetting",
    "forward_transfer",
    "long_tailed_tasks",
    "noisy_labels",
    "online_batches",
    "task_confusion",
]


@dataclass(eq=False)
class ContinualResult:
    """What a stream left behind.

    Parameters
    ----------
    accuracy_matrix : ndarray of shape (n_tasks, n_tasks)
        R[t, i], accuracy on the test samples of task i after learning task t; NaN for i > t
        where tasks to come were not tested.
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

    accuracy_matrix: NDArray[np.float64]
    n_test: NDArray[np.intp]
    fit_time: NDArray[np.float64]
    score_time: NDArray[np.float64]
    estimator: Any

    @property
    def accuracy(self) -> NDArray[np.float64]:
        return average_accuracy(self.accuracy_matrix)

    @property
    def weighted_accuracy(self) -> NDArray[np.float64]:
        counts = np.tril(np.broadcast_to(self.n_test, self.accuracy_matrix.shape))
        right = np.where(counts, counts * self.accuracy_matrix, 0.0)
        return right.sum(axis=1) / counts.sum(axis=1)

    @property
    def final_accuracy(self) -> float:
        return float(self.accuracy[-1])

    @property
    def average_accuracy(self) -> float:
        return float(self.accuracy.mean())

    @property
    def forgetting(self) -> float:
        return forgetting(self.accuracy_matrix)

    @property
    def backward_transfer(self) -> float:
        return backward_transfer(self.accuracy_matrix)


def evaluate_continual(
    estimator: BaseEstimator,
    tasks: Tasks | Batches,
    X_train: Samples,
    y_train: ArrayLike,
    X_test: Samples,
    y_test: ArrayLike,
    *,
    callback: Callable[[int, Any], object] | None = None,
    future: bool = False,
    verbose: int = 0,
) -> ContinualResult:
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
    future : bool, default=False
        Whether to measure the accuracy on tasks to come as well, for :func:`forward_transfer`.
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

    from .encoders._memory import with_memory

    check_consistent_length(X_train, y_train)
    check_consistent_length(X_test, y_test)
    y_train, y_test = check_both(y_train, y_test)
    tasks, X_train, X_test = batched_tasks(tasks), apart(X_train), apart(X_test)
    empty = [i for i, (_, test) in enumerate(tasks) if not len(test)]
    if empty:
        raise ValueError(f"tasks[{empty[0]}] has no test samples.")

    estimator = clone(estimator)
    with_memory(getattr(estimator, "encoder", None))
    first = _declared(estimator, y_train, [rows for batches, _ in tasks for rows in batches])
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
            for i, (_, test) in enumerate(tasks if future else tasks[: t + 1]):
                predicted = estimator.predict(safe_indexing(X_test, test))
                matrix[t, i] = np.mean(predicted == y_test[test])
            times[:, t] = learned - start, perf_counter() - learned
            if callback is not None:
                callback(t, estimator)
    n_test = np.array([len(test) for _, test in tasks])
    return ContinualResult(matrix, n_test, *times, estimator)


@dataclass(eq=False)
class PrequentialResult:
    """What a stream of small batches showed, every sample tested before it was learned.

    Parameters
    ----------
    rows : ndarray of shape (n_samples,)
        Training samples in the order in which they arrived.
    correct : ndarray of shape (n_samples,), bool
        Whether each was given its label before it was learned. Nothing can be answered before
        the first batch: its samples count as wrong.
    n_seen : ndarray of shape (n_points,)
        Numbers of samples learned when the test samples were asked.
    test_accuracy : ndarray of shape (n_points,)
        Accuracy then, on the test samples of the classes seen so far; NaN where there are none.
    estimator : estimator
        Fitted on all samples.

    Attributes
    ----------
    accuracy : ndarray of shape (n_samples,)
        Share of correct answers up to each sample (prequential accuracy).
    final_accuracy : float
        Last entry of `accuracy`.
    anytime_accuracy : float
        Mean of `test_accuracy` where it is a number: the area under the curve of accuracy against
        samples, A_AUC of Koh et al., ICLR 2022. NaN without test samples.

    See Also
    --------
    evaluate_prequential : Makes it.
    AccuracyCurvesDisplay : Picture of several `accuracy` or `test_accuracy`.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn.evaluation import PrequentialResult
    >>> correct = np.array([False, True, True, True])
    >>> PrequentialResult(np.arange(4), correct, np.array([4]), np.array([0.5]), None).accuracy
    array([0.        , 0.5       , 0.66666667, 0.75      ])
    """

    rows: Rows
    correct: NDArray[np.bool_]
    n_seen: NDArray[np.intp]
    test_accuracy: NDArray[np.float64]
    estimator: Any

    @property
    def accuracy(self) -> NDArray[np.float64]:
        return np.cumsum(self.correct) / np.arange(1, len(self.correct) + 1)

    @property
    def final_accuracy(self) -> float:
        return float(self.accuracy[-1])

    @property
    def anytime_accuracy(self) -> float:
        known = self.test_accuracy[~np.isnan(self.test_accuracy)]
        return float(known.mean()) if len(known) else float("nan")


def evaluate_prequential(
    estimator: BaseEstimator,
    tasks: Batches,
    X_train: Samples,
    y_train: ArrayLike,
    X_test: Samples | None = None,
    y_test: ArrayLike | None = None,
    *,
    n_points: int = 20,
    verbose: int = 0,
) -> PrequentialResult:
    """Answer every batch before it is learned.

    Parameters
    ----------
    estimator : classifier with ``partial_fit``
        Cloned, and declared the classes as by :func:`evaluate_continual`.
    tasks : list of (batches, test)
        Of :func:`online_batches`.
    X_train : array-like of n_train samples
        Training samples; whatever the estimator takes.
    y_train : array-like of shape (n_train,)
        Labels of the training samples.
    X_test : array-like of n_test samples, default=None
        Test samples, asked at `n_points` points of the stream. None: they are not.
    y_test : array-like of shape (n_test,), default=None
        Labels of the test samples.
    n_points : int, default=20
        Points, equally far from each other in batches; the last one is the end.
    verbose : int, default=0
        1 shows a progress bar over the batches.

    Returns
    -------
    result : PrequentialResult
        Correct answers, in the order of the samples, and accuracies on the test samples.

    Raises
    ------
    ValueError
        For samples and labels of different numbers, no tasks, or test samples without labels.

    See Also
    --------
    online_batches : Cuts tasks into small batches.
    evaluate_continual : Tests after each task.

    Notes
    -----
    Test, then learn: Dawid, "Statistical theory: the prequential approach", 1984; Gama et al.,
    "On evaluating stream learning algorithms", Machine Learning 90, 2013.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from layup_sklearn import LayUPClassifier
    >>> from layup_sklearn.evaluation import (
    ...     class_incremental_tasks, evaluate_prequential, online_batches
    ... )
    >>> X, y = load_digits(return_X_y=True)
    >>> tasks = online_batches(class_incremental_tasks(y, y, 1), 10, random_state=0)
    >>> result = evaluate_prequential(LayUPClassifier(), tasks, X, y)
    >>> bool(result.final_accuracy > 0.85)
    True
    """
    from tqdm.auto import tqdm

    from .encoders._memory import with_memory

    if (X_test is None) != (y_test is None):
        raise ValueError("X_test and y_test go together: give both, or neither.")
    check_consistent_length(X_train, y_train)
    check_consistent_length(X_test, y_test)
    y_train, y_test = check_both(y_train, y_train[:0] if y_test is None else y_test)
    X_train, X_test = apart(X_train), apart(X_test)
    batches = [rows for part, _ in batched_tasks(tasks) for rows in part]
    tested = [] if X_test is None else np.linspace(0, len(batches), n_points + 1)[1:].round() - 1
    estimator = clone(estimator)
    with_memory(getattr(estimator, "encoder", None))
    first, correct, points = _declared(estimator, y_train, batches), [], []
    for i, rows in enumerate(tqdm(batches, unit="batch", disable=not verbose)):
        X = safe_indexing(X_train, rows)
        answers = estimator.predict(X) == y_train[rows] if i else np.zeros(len(rows), dtype=bool)
        correct.append(answers)
        estimator.partial_fit(X, y_train[rows], **first)
        first = {}
        if i in tested:
            learned = np.concatenate(batches[: i + 1])
            test = np.flatnonzero(np.isin(y_test, y_train[learned]))
            points.append((len(learned), np.nan))
            if len(test):
                right = estimator.predict(safe_indexing(X_test, test)) == y_test[test]
                points[-1] = len(learned), right.mean()
    n_seen, accuracy = np.array(points, dtype=float).reshape(-1, 2).T
    rows, correct = np.concatenate(batches), np.concatenate(correct)
    return PrequentialResult(rows, correct, n_seen.astype(np.intp), accuracy, estimator)


def _declared(estimator, y_train, batches):
    """What the first call of `partial_fit` gets: all labels to come, where it wants them."""
    if "classes" not in signature(estimator.partial_fit).parameters:
        return {}
    return {"classes": np.unique(y_train[np.concatenate(batches)])}

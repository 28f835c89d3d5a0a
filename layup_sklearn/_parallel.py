"""One fit spread over processes or machines: sums of the shards, added up."""

import warnings
from collections.abc import Callable, Iterable
from contextlib import closing, contextmanager
from copy import copy
from itertools import chain
from typing import TypeAlias, TypeVar

from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from ._classifier import LayUPClassifier
from ._solution import check_ridge
from ._typing import Samples

Shard: TypeAlias = tuple[Samples, ArrayLike] | tuple[Samples, ArrayLike, ArrayLike]
Classifier = TypeVar("Classifier", bound=LayUPClassifier)


def parallel_fit(
    classifier: Classifier,
    shards: Iterable[Shard | Callable[[], Shard]],
    n_jobs: int | None = None,
) -> Classifier:
    """Learn shards of data side by side, on top of what the classifier knows.

    Parameters
    ----------
    classifier : LayUPClassifier
        Fitted or not; fitted in place. An encoder that is not fitted yet is fitted on the
        first shard.
    shards : iterable
        Each one (X, y) or (X, y, sample_weight), as for ``partial_fit``, or a function
        without arguments that returns such a tuple, and is called where the shard is
        learned. With an encoder for images, X may be a list of paths.
    n_jobs : int, default=None
        Shards learned at once. None: what ``joblib.parallel_config`` says, else 1.

    Returns
    -------
    classifier : LayUPClassifier
        As after one ``partial_fit`` on all shards together, in any order. With `cv`, the
        choice made before stays.

    Raises
    ------
    ValueError
        For a shard that cannot be used; names its position. The classifier stays as it was.
    RuntimeError
        For any other failure while a shard is read or learned, or where not all shards come
        back; likewise.

    See Also
    --------
    LayUPClassifier.merge : Adds models that were fitted in different places.

    Notes
    -----
    The sums of the union of samples are the sums of their sums: each worker fits a copy of
    the classifier to its shard, with the encoder frozen, and sends back only its statistics,
    which are added as they come. joblib's backends run it, loky's processes by default, so
    ``joblib.parallel_config("dask")`` spreads it over a cluster; "ray" and "spark" want
    `n_jobs`, too, for without it joblib learns in the process that calls. Functions travel as
    their code and arguments. A shard whose worker dies is learned again by Dask, by Spark
    (as often as ``spark.task.maxFailures`` says) and by Ray with
    ``ray_remote_args={"max_restarts": -1, "max_task_retries": -1}``; with loky it is an
    error. Each shard sends half a Gram matrix back: it should hold many more samples than
    there are features.

    Examples
    --------
    >>> from functools import partial
    >>> from sklearn.datasets import make_classification
    >>> from layup_sklearn import LayUPClassifier, parallel_fit
    >>> shards = [partial(make_classification, random_state=i) for i in range(5)]
    >>> classifier = parallel_fit(LayUPClassifier(), shards)  # n_jobs=5 for all at once
    >>> float(classifier.statistics_.class_count.sum())
    500.0
    """
    if not isinstance(classifier, LayUPClassifier):
        raise TypeError(f"classifier must be a LayUPClassifier, got {type(classifier).__name__}.")
    classifier._validate_params()
    if n_jobs == 0:
        raise ValueError("n_jobs must not be 0: None, a number of processes, or -1 for all cores.")
    shards = iter(shards)
    first = next(shards, None)
    if first is None:
        raise ValueError("shards is empty: there is nothing to learn.")
    before = classifier._model
    encoder = before.encoder if before else _fit_encoder(clone(classifier), first)
    frozen = None if encoder is None else FrozenEstimator(encoder)
    worker = LayUPClassifier(frozen, dtype=classifier.dtype)
    total = copy(classifier) if before else None
    tasks = (
        delayed(_fit_shard)(worker, position, shard)
        for position, shard in enumerate(chain([first], shards))
    )
    with closing(_as_completed(n_jobs, tasks)) as parts:
        for position, part in parts:
            if isinstance(part, Exception):
                raise part
            with _named_shard(position):
                part = part._with_encoder(encoder)
                total = part if total is None else total.merge(part)
    if before is None:
        check_ridge(total._model, classifier._settings())
    parameters = classifier.get_params(deep=False)
    return classifier._replace(before, total._model, {**vars(total), **parameters})


def _fit_encoder(classifier, shard):
    if classifier.encoder is None:
        return None
    with _named_shard(0):
        return classifier._fit_encoder(classifier._check_batch(*_read(shard), reset=True))


def _fit_shard(worker, position, shard):
    """What a worker sends back: a classifier of the shard, without its encoder, or an error.

    An error is sent rather than raised, for some engines wrap in their own what a worker raises.
    """
    try:
        with _named_shard(position):
            part = clone(worker).fit(*_read(shard))
    except (ValueError, RuntimeError) as error:
        return position, error
    part = part._with_encoder(None)
    part.encoder = None
    return position, part


def _read(shard):
    shard = shard() if callable(shard) else shard
    if not isinstance(shard, (tuple, list)) or len(shard) not in (2, 3):
        raise ValueError(
            "a shard is (X, y) or (X, y, sample_weight), or a function that returns such a tuple; "
            f"got {type(shard).__name__}."
        )
    return shard


@contextmanager
def _named_shard(position):
    try:
        yield
    except Exception as error:
        kind = ValueError if isinstance(error, (TypeError, ValueError)) else RuntimeError
        reason = str(error) or type(error).__name__
        raise kind(f"Shard {position} cannot be learned: {reason}") from error


def _as_completed(n_jobs, tasks):
    """Results as they come, where joblib's backend can."""
    try:
        parallel = Parallel(n_jobs, return_as="generator_unordered", batch_size=1)
    except ValueError:
        parallel = Parallel(n_jobs, batch_size=1)
    try:
        results = parallel(tasks)
        for result in results:
            yield result
    except GeneratorExit:  # a shard has failed
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib's, of other shards that are not used
            del results
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise RuntimeError(f"Not all shards came back: {reason}") from error

"""Rows on their way into the sums: checked, weighted, encoded chunk by chunk, or waiting."""

from contextlib import contextmanager
from dataclasses import dataclass
from pickle import PicklingError

import joblib
import numpy as np
from sklearn.utils import check_array

from ._sample_error import SampleError
from ._samples import apart, as_collection
from ._symmetric import read_only
from ._validation import check_weights, num_samples, safe_indexing

CHUNK_ROWS = 1024  # samples that are encoded at a time


def check_collection(X, encoder, n_labels=None):
    """Samples for an encoder, as something that has rows to slice.

    Parameters
    ----------
    X : what the encoder takes
    encoder : transformer
    n_labels : int, default=None
        Of the samples, where they have labels: these say whether an array is one or several.

    Returns
    -------
    X : list, array, Series, DataFrame or sparse matrix
        Encoders of this package say themselves what a sample is.
    """
    if getattr(X, "ndim", 0) == 3 and len(X) == n_labels:
        X = apart(X)
    if hasattr(encoder, "as_samples"):
        return encoder.as_samples(X)
    return apart(as_collection(X))


@dataclass(frozen=True, eq=False)
class Batch:
    """The samples of one call that have a positive weight.

    Attributes
    ----------
    X : collection of n_kept samples, or ndarray of shape (n_kept, n_features)
    y : ndarray of shape (n_kept,)
    sample_weight : ndarray of shape (n_kept,)
    kept : ndarray of shape (n_samples,), bool
        Where they stood in what the caller gave.
    """

    X: object
    y: np.ndarray
    sample_weight: np.ndarray
    kept: np.ndarray

    @classmethod
    def of(cls, X, y, sample_weight):
        """Leave out the rows of weight zero.

        Parameters
        ----------
        X : collection of n_samples samples
        y : ndarray of shape (n_samples,)
        sample_weight : None, number or array-like of shape (n_samples,)
        """
        weight = check_weights(sample_weight, y)
        kept = weight > 0
        if kept.all():
            return cls(X, y, weight, kept)
        return cls(safe_indexing(X, np.flatnonzero(kept)), y[kept], weight[kept], kept)

    def __len__(self):
        return len(self.y)

    def fitted(self, encoder):
        """An encoder, fitted to the samples and from here on frozen."""
        with self._placed():
            encoder = encoder.fit(self.X, self.y)
        if hasattr(encoder, "expect_fingerprint"):
            encoder.expect_fingerprint(encoder.saved_fingerprint())
        return encoder

    def encoded(self, encoder, n_features=None):
        """Yield (features, y, sample_weight) of one chunk after the other."""
        with self._placed():
            for rows, features in encoded(self.X, encoder, n_features):
                yield features, self.y[rows], self.sample_weight[rows]

    @contextmanager
    def _placed(self):
        """Errors say where samples stood in what the caller gave."""
        try:
            yield
        except SampleError as error:
            raise error.at(int(np.flatnonzero(self.kept)[error.position])) from error.__cause__


def encoded(X, encoder, n_features=None):
    """Samples through the encoder, chunk by chunk.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), or collection of samples
    encoder : None or fitted transformer
        None: X holds features.
    n_features : int, default=None
        Number of columns that are expected.

    Yields
    ------
    rows : slice
    features : ndarray of shape (n_rows, n_features)

    Raises
    ------
    SampleError
        For a sample that the encoder cannot use; says where in X it stands.
    ValueError
        When the encoder makes other rows or columns than it should.
    """
    n_samples = num_samples(X)
    chunks = [slice(s, min(s + CHUNK_ROWS, n_samples)) for s in range(0, n_samples, CHUNK_ROWS)]
    if encoder is None:
        yield from ((rows, X[rows]) for rows in chunks)
        return
    results = _transformed(encoder, (safe_indexing(X, rows) for rows in chunks), n_samples)
    for rows in chunks:
        try:
            features = next(results)
        except SampleError as error:
            raise error.at(rows.start + error.position) from error.__cause__
        yield rows, _check_features(features, rows.stop - rows.start, n_features)


def _transformed(encoder, chunks, n_samples):
    """Features of each chunk; encoders of this package work ahead on the next ones."""
    if hasattr(encoder, "transform_chunks"):
        return encoder.transform_chunks(chunks, n_samples)
    return map(encoder.transform, chunks)


def _check_features(features, n_samples, n_features):
    features = check_array(features, input_name="the encoder's output")
    if len(features) != n_samples:
        raise ValueError(
            f"The encoder made {len(features)} row(s) of {n_samples} sample(s): X "
            "must be a collection; one image is [image]."
        )
    if n_features not in (None, features.shape[1]):
        raise ValueError(
            f"X has {features.shape[1]} features after the encoder, but LayUPClassifier is "
            f"expecting {n_features} features as input."
        )
    return features


def check_same_features(classifier, other):
    """Raise where two fitted classifiers cannot be merged."""
    if not _same_encoder(classifier.encoder_, other.encoder_):
        raise ValueError(
            "The two classifiers cannot be merged: their encoders make different features "
            f"({classifier.encoder_!r} and {other.encoder_!r}, as fitted)."
        )
    names, others = (getattr(c, "feature_names_in_", None) for c in (classifier, other))
    if names is not None and others is not None and not np.array_equal(names, others):
        raise ValueError("The two classifiers cannot be merged: feature names should match.")


def _same_encoder(encoder, other):
    """Whether two fitted encoders make the same features."""
    if encoder is other:
        return True
    if type(encoder) is not type(other):
        return False
    if hasattr(encoder, "fingerprint"):
        return encoder.fingerprint() == other.fingerprint()
    try:
        return joblib.hash(encoder) == joblib.hash(other)
    except (AttributeError, PicklingError, TypeError):  # a function without a name to be found
        return _hash_by_value(encoder) == _hash_by_value(other)


def _hash_by_value(encoder):
    try:
        return joblib.hash(joblib.wrap_non_picklable_objects(encoder))
    except Exception as error:
        raise ValueError(
            f"The encoders cannot be compared: {encoder!r} cannot be pickled ({error}). Give both "
            "classifiers one and the same encoder, or one with a method `fingerprint`."
        ) from error


@dataclass(frozen=True, eq=False)
class PendingRows:
    """Rows of small calls that are not folded into the sums yet.

    Attributes
    ----------
    batches : tuple of (X, y, sample_weight)
        Arrays of their own, which nobody else can change.
    n_rows : int
    weight : float
        The sum of their weights.
    total : float or ndarray of shape (n_features,)
        Their weighted sum.
    squared_norm : float or ndarray of shape (n_features,)
        Diagonal of their Gram matrix.
    """

    batches: tuple = ()
    n_rows: int = 0
    weight: float = 0.0
    total: object = 0.0
    squared_norm: object = 0.0

    def and_also(self, X, y, sample_weight, dtype):
        """These rows and some more.

        Parameters
        ----------
        X : ndarray of shape (n_new, n_features)
        y : ndarray of shape (n_new,)
        sample_weight : ndarray of shape (n_new,)
        dtype : float64 or float32
            Type of the sums.
        """
        with np.errstate(over="ignore"):  # the check of the sums says so, too
            X = np.array(X, dtype=dtype)
            total = self.total + np.einsum("ij,i->j", X, sample_weight, dtype=np.float64)
            squares = np.einsum("ij,ij,i->j", X, X, sample_weight, dtype=np.float64)
            weight = self.weight + float(sample_weight.sum())
        batch = X, y.copy(), sample_weight.copy()
        batches = (*self.batches, tuple(map(read_only, batch)))
        squared_norm = self.squared_norm + squares
        return PendingRows(batches, self.n_rows + len(X), weight, total, squared_norm)

    def joined(self, classes, start=0):
        """X, y and sample_weight of the batches from `start` on, each as one array.

        Parameters
        ----------
        classes : ndarray of shape (n_classes,)
            All labels, in the type that `y` shall have.
        start : int, default=0
        """
        X, y, sample_weight = zip(*self.batches[start:])
        y = [labels.astype(classes.dtype) for labels in y]
        return tuple(map(np.concatenate, (X, y, sample_weight)))

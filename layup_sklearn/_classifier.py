"""The LayUP classifier: scikit-learn's interface to the sums and the ridge."""

import os
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from threading import RLock
from types import SimpleNamespace
from weakref import WeakKeyDictionary

import joblib
import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, check_array, gen_batches, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from ._persistence import load_model, one_clear_error, save_model
from ._probabilities import label_probabilities
from ._ridge import RidgeChoice, RidgeFactor, choose_by_evidence, choose_by_folds
from ._statistics import CHUNK_ROWS, ClassStatistics, union_of_labels, without_samples

IN_PLACE_ROWS = 64  # from here on a copy of the sums costs little beside the update


class LayUPClassifier(ClassifierMixin, BaseEstimator):
    """Continual classifier: ridge regression on the features of a frozen encoder.

    Learns batch by batch (new classes, new domains, a stream) and keeps no samples: its
    state is the Gram matrix of the features and the sums of the features of each class.
    Any cut of the data into calls, in any order, gives the same model as one ``fit``.

    Parameters
    ----------
    encoder : None, str or transformer, default=None
        What turns X into features. None: X already holds features, 2-D. str: the name
        of a timm model, for ``ImageEncoder(encoder)``. Otherwise a scikit-learn
        transformer; the first call fits a clone of it, from then on it is frozen.
    n_layers : int, "auto" or None, default=None
        Number of the encoder's last layers to use. None: all that it gives. "auto": by
        evidence (or by accuracy on the folds of `cv`).
    ridge : float or "auto", default="auto"
        Ridge, in squared feature units; not scaled by the number of samples. "auto":
        chosen as `cv` says.
    ridges : array-like of float, default=None
        Candidates of the choice; of equally accurate ones the first wins. None: a
        continuous search by evidence; for folds, 21 candidates from 100 to 1e-8 times
        the mean diagonal entry of the Gram matrix.
    cv : int, splitter, iterable or None, default=None
        None: the choice maximises the marginal likelihood (evidence) of everything
        seen; it needs only the sums. Otherwise: by accuracy on these folds of the
        newest call, on top of the earlier sums. An int is lowered to the size of the
        call's largest class; where not even two folds can be made, the earlier choice
        stands. ``cv=4, ridges=PAPER_RIDGES`` is the procedure of the paper.
    dtype : {"float64", "float32"}, default="float64"
        Type of the sums. "float32" halves their memory and the time of the update; the
        choice of the ridge and the solution are in double precision all the same. Sums over
        n samples then carry a relative error of about 1e-7 * sqrt(n). On seven real streams
        it changed not one predicted label.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels that were seen or declared.
    statistics_ : ClassStatistics
        The sums. Not to be read while another thread learns, as all else may be: copy the
        classifier.
    encoder_ : transformer or None
        The fitted encoder.
    ridge_ : float
        Ridge in use.
    n_layers_ : int
        Number of layers in use; ready features count as one layer.
    coef_ : ndarray of shape (n_classes, n_features)
        Coefficients on the features in use; zero for classes without samples.
    log_evidence_ : float
        Log marginal likelihood of all labels at `ridge_` and `n_layers_`, given the share
        of each class, in nats.
    ridge_scores_ : ndarray of shape (n_tried,), structured
        Fields ``n_layers``, ``ridge`` and ``score`` (log evidence, or mean accuracy on
        the folds) of all that was tried; -inf where the matrix was singular.
    n_features_in_ : int
        Number of columns of X; with an encoder, where the encoder knows it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Where X has feature names, all strings, and there is no encoder.

    See Also
    --------
    ImageEncoder : Multi-layer features of images.
    parallel_fit : The same, spread over processes or machines.
    sklearn.linear_model.RidgeClassifier : The same model for one `fit` on all data.

    Notes
    -----
    With features X (n_samples, d) and one-hot labels Y (n_samples, K) of all calls::

        G = X'X        C = Y'X        coef = C (G + ridge I)^-1        y = argmax coef x

    (LayUP, [1]_, equations 3 to 5: no intercept, no scaling.) A call costs one
    symmetric rank-n_samples update of G. Solving and the choice of the ridge wait until
    they are asked for, and are done once for each state and set of parameters: changing
    `ridge`, `ridges` or `n_layers` needs no new ``fit``. Only with `cv` is the choice
    made, and the features of the call held together, while the batch is at hand.

    The evidence of the sums ([2]_), given the share of each class, comes from one Cholesky
    factor of G + ridge I: see ``RidgeFactor.log_evidence``. On seven real streams it chose
    better on average than folds or leave-one-out on the newest batch, GCV and two half-sums
    (benchmarks/results/ridge_choice.md).

    A call that fails or is interrupted leaves the estimator as it was (sums that were
    updated in place when an interrupt came are restored to rounding).

    References
    ----------
    .. [1] Ahrens, Lehmann, Lee, Wermter, "Read Between the Layers: Leveraging
       Multi-Layer Representations for Rehearsal-Free Continual Learning with
       Pre-Trained Models", TMLR 2024, arXiv:2312.08888.
    .. [2] MacKay, "Bayesian interpolation", Neural Computation 4(3), 1992.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from layup_sklearn import LayUPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = LayUPClassifier()
    >>> for task in [0, 1, 2], [3, 4, 5], [6, 7, 8, 9]:
    ...     rows = [label in task for label in y]
    ...     classifier = classifier.partial_fit(X[rows], y[rows])
    >>> classifier.classes_
    array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    >>> bool((classifier.predict(X) == LayUPClassifier().fit(X, y).predict(X)).all())
    True
    """

    _parameter_constraints = {
        "encoder": [None, str, HasMethods(["fit", "transform"])],
        "n_layers": [None, StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "ridge": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "ridges": [None, "array-like"],
        "cv": ["cv_object"],
        "dtype": [StrOptions({"float64", "float32"})],
    }

    def __init__(
        self, encoder=None, *, n_layers=None, ridge="auto", ridges=None, cv=None, dtype="float64"
    ):
        self.encoder = encoder
        self.n_layers = n_layers
        self.ridge = ridge
        self.ridges = ridges
        self.cv = cv
        self.dtype = dtype

    def fit(self, X, y, sample_weight=None):
        """Forget everything, then learn.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            Samples to learn; features are dense and finite.
        y : array-like of shape (n_samples,)
            Labels: numbers or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative. Weight 0 is a row left out, weight 2 a row given twice.

        Returns
        -------
        self : LayUPClassifier
            The same object, which knows these samples alone.

        Raises
        ------
        ValueError
            For input that cannot be used; the estimator stays as it was.
        """
        with _restored_on_failure(self):
            self._learn(X, y, [], sample_weight, reset=True)
        return self

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Learn a batch on top of all earlier ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            Samples to learn; features are dense and finite.
        y : array-like of shape (n_samples,)
            Labels; new ones are welcome at any call.
        classes : array-like of shape (n_classes,), default=None
            Labels that later calls will bring. Never needed; declared labels get their
            place in `classes_` now and are not predicted before they have a sample.
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative. Weight 0 is a row left out, weight 2 a row given twice.

        Returns
        -------
        self : LayUPClassifier
            The same object, which knows these samples and all earlier ones.

        Raises
        ------
        ValueError
            For input that cannot be used; the estimator stays as it was.
        """
        declared = [] if classes is None else _check_labels(classes, "classes")
        if hasattr(self, "statistics_"):
            self._learn(X, y, declared, sample_weight, reset=False)
        else:
            with _restored_on_failure(self):
                self._learn(X, y, declared, sample_weight, reset=True)
        return self

    def merge(self, other):
        """Add all that another classifier has learned.

        Parameters
        ----------
        other : LayUPClassifier
            Fitted on the same kind of features, in any place, on any labels.

        Returns
        -------
        self : LayUPClassifier
            As if it had learned the samples of both. The type of its sums stays, and so
            does the choice made on folds.

        Raises
        ------
        TypeError
            When `other` is no LayUPClassifier.
        ValueError
            When the features are not the same: their number, their names or their
            encoders. The estimator stays as it was.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from layup_sklearn import LayUPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> here, there = LayUPClassifier().fit(X[::2], y[::2]), LayUPClassifier()
        >>> merged = here.merge(there.fit(X[1::2], y[1::2]))
        >>> bool((merged.predict(X) == LayUPClassifier().fit(X, y).predict(X)).all())
        True
        """
        check_is_fitted(self)
        if not isinstance(other, LayUPClassifier):
            raise TypeError(f"other must be a LayUPClassifier, got {type(other).__name__}.")
        check_is_fitted(other)
        if not _same_feature_space(self.encoder_, other.encoder_):
            raise ValueError(
                "The two classifiers cannot be merged: their encoders make different features "
                f"({self.encoder_!r} and {other.encoder_!r}, as fitted)."
            )
        return self._merge(other)

    def _merge(self, other):
        names, other_names = (getattr(c, "feature_names_in_", None) for c in (self, other))
        if names is not None and other_names is not None and not np.array_equal(names, other_names):
            raise ValueError("The two classifiers cannot be merged: feature names should match.")
        with np.errstate(over="ignore"):
            statistics = self._sums() + other._sums()
        _check_finite(statistics.joint_gram.diagonal())
        choice = self._choice_by_folds or other._choice_by_folds
        vars(self).update(statistics_=statistics, _choice_by_folds=choice, _solutions={})
        return self

    def forget(self, X, y, sample_weight=None):
        """Take samples out, as if they had never been learned.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            As it was learned.
        y : array-like of shape (n_samples,)
            As they were learned. Classes whose last sample goes leave `classes_`; those
            that were declared and never seen stay.
        sample_weight : array-like of shape (n_samples,), default=None
            As they were learned.

        Returns
        -------
        self : LayUPClassifier
            The same object, without the samples.

        Raises
        ------
        ValueError
            For samples that cannot have been learned, as far as the sums can tell, or when
            none would be left; the estimator stays as it was.

        Notes
        -----
        Removal is exact up to rounding errors relative to the sums before. What is refused:
        labels that were never learned, more samples of a class than it has, and samples
        without which [X, Y]'[X, Y] would not be positive semi-definite (one Cholesky
        factorisation, with a tolerance of 1e-8 times its diagonal, 1e-2 in single
        precision). An encoder that was fitted on the samples keeps what it took from them.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from layup_sklearn import LayUPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> classifier = LayUPClassifier().fit(X, y).forget(X[y > 4], y[y > 4])
        >>> classifier.classes_
        array([0, 1, 2, 3, 4])
        """
        check_is_fitted(self)
        X, y, sample_weight, kept = self._check_samples(X, y, sample_weight, reset=False)
        old = new = self._sums()
        unknown = np.setdiff1d(union_of_labels(old.classes, y), old.classes)
        if len(unknown):
            raise ValueError(
                f"Label {unknown.tolist()[0]!r} was never learned and cannot be forgotten."
            )
        for rows, features in self._features(self.encoder_, X, old.n_features, kept):
            weight = None if sample_weight is None else sample_weight[rows]
            new = new.add_samples(features, y[rows], weight, overwrite=new is not old, sign=-1.0)
        vars(self).update(statistics_=without_samples(old, new), _solutions={})
        return self

    def save(self, path):
        """Write everything to one file, without pickle.

        Parameters
        ----------
        path : str or path
            A file there is replaced in one step: whoever reads it, and whatever stops
            this process, it is the old or the new one, whole.

        Raises
        ------
        ValueError
            When a parameter or the encoder is no number, string, array or encoder of this
            package; pickle, joblib and skops take those.
        OSError
            When the file cannot be written; a file that was there stays.

        Notes
        -----
        The file is in the safetensors format: one triangle of the Gram matrix, class sums
        and counts as arrays, the rest as JSON in its metadata. The network of an encoder is
        not part of it, only its name and what was learned on top.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> from layup_sklearn import LayUPClassifier
        >>> classifier = LayUPClassifier().fit([[0.0, 1.0], [1.0, 0.0]], ["no", "yes"])
        >>> with TemporaryDirectory() as folder:
        ...     classifier.save(f"{folder}/model.safetensors")
        ...     again = LayUPClassifier.load(f"{folder}/model.safetensors")
        >>> again.predict([[0.0, 2.0]])
        array(['no'], dtype='<U3')
        """
        check_is_fitted(self)
        choice = self._choice_by_folds
        names = ("n_features_in_", "feature_names_in_", "encoder_")
        fitted = {name: getattr(self, name) for name in names if hasattr(self, name)}
        fitted["choice_by_folds"] = choice and [choice.ridge, choice.n_features, choice.scores]
        model = {"parameters": self.get_params(deep=False), "fitted": fitted}
        save_model(path, self._sums(), model)

    @classmethod
    def load(cls, path):
        """Read what `save` has written.

        Parameters
        ----------
        path : str or path
            A file that `save` has written.

        Returns
        -------
        classifier : LayUPClassifier
            As it was when it was saved. The network of an encoder is loaded when it is
            first needed.

        Raises
        ------
        ValueError
            For a file that is truncated, damaged, foreign or of a newer format.
        OSError
            For a file that cannot be opened.
        """
        statistics, model = load_model(path)
        with one_clear_error(path):
            classifier, fitted = cls(**model["parameters"]), model["fitted"]
            classifier._validate_params()
            encoder, choice = fitted["encoder_"], fitted["choice_by_folds"]
            if encoder is not None and not hasattr(encoder, "transform"):
                raise ValueError(f"its fitted encoder is {encoder!r}.")
            if choice is not None:
                ridge, n_features, scores = choice
                choice = RidgeChoice(ridge, n_features, None, scores)
            for name in ("n_features_in_", "feature_names_in_"):
                if name in fitted:
                    setattr(classifier, name, fitted[name])
            vars(classifier).update(
                encoder_=encoder,
                statistics_=statistics,
                _choice_by_folds=choice,
                _solutions={},
            )
        return classifier

    def decision_function(self, X):
        """Ridge scores, which approach 1 for the class and 0 for the others.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            Samples to score.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
            In the order of `classes_`; for two classes, the score of the second minus
            the score of the first. Classes without samples have the lowest float, as in
            :func:`~sklearn.model_selection.cross_val_predict`.
        """
        check_is_fitted(self)
        X = self._check_X(X, reset=False)
        scores = self._scores(X, self._solution())
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def _scores(self, X, solution):
        coef, seen = solution.coef, solution.seen
        scores = np.full((_num_samples(X), len(coef)), np.finfo(np.float64).min)
        for rows, features in self._leading_features(X, solution):
            scores[rows, seen] = features @ coef[seen].T
        return scores

    def _leading_features(self, X, solution):
        for rows, features in self._features(self.encoder_, X, self.statistics_.n_features):
            yield rows, features[:, : solution.coef.shape[1]].astype(np.float64, copy=False)

    def predict(self, X):
        """Labels of largest score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            Samples to label.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels that were seen in training.
        """
        check_is_fitted(self)
        solution = self._solution()
        scores = self._scores(self._check_X(X, reset=False), solution)
        return solution.classes[scores.argmax(axis=1)]

    def predict_proba(self, X):
        """Probabilities of the classes, of which `predict` gives the largest.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            Samples to label.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; rows sum to 1. Classes without samples have 0.

        See Also
        --------
        sklearn.calibration.CalibratedClassifierCV : Fits the map from scores to
            probabilities on samples kept for it.

        Notes
        -----
        The softmax of the ridge scores f at the scale of their noise::

            p_c = exp(f_c / T) / sum_k exp(f_k / T)        T = sqrt(3) s / pi

        T gives the logistic distribution the standard deviation s of a label around its
        prediction, the noise of the evidence (``RidgeFactor.noise_variance``): the sums
        tell it, no sample is kept for it. On seven real streams the log loss was 0.54,
        where T fitted by five folds on all samples had 0.53, sigmoids 0.59 and the softmax
        of the scores alone 2.07 (benchmarks/results/calibration.md). It rests on a ridge
        that suits the data: one fixed far too low makes s, and doubts, too small. For
        samples like nothing seen, probabilities mean nothing: see `score_samples`.
        """
        check_is_fitted(self)
        solution = self._solution()
        scores = self._scores(self._check_X(X, reset=False), solution)
        probabilities = np.zeros_like(scores)
        probabilities[:, solution.seen] = label_probabilities(
            scores[:, solution.seen], solution.noise_variance
        )
        return probabilities

    def score_samples(self, X):
        """How much samples look like a class that was seen: the higher, the more normal.

        The cosine similarity to the nearest class mean, after whitening with the Gram
        matrix. To flag what is new, take a quantile of the scores of samples known to be
        of seen classes (and not learned) as threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            Samples to compare with those that were learned.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Between -1 and 1.

        See Also
        --------
        sklearn.ensemble.IsolationForest : Its `score_samples` has the same orientation.

        Notes
        -----
        With A = G + ridge I, the ridge scores f and the class sums C::

            max_c  x' A^-1 C_c / sqrt((x' A^-1 x) (C_c' A^-1 C_c))

        that is, up to a constant of each class, the largest ridge score in units of its
        standard error s sqrt(x' A^-1 x): a sample may score low because no class claims
        it, or because it lies where there were no samples. The first call after a change
        costs one Cholesky factorisation. On seven real streams it told classes to come
        from classes seen with an area under the ROC curve of 0.86; the largest score had
        0.80, the Mahalanobis distance 0.81, the nearest class mean 0.70
        (benchmarks/results/novelty.md).

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_digits
        >>> from layup_sklearn import LayUPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> known = X[y < 7]
        >>> classifier = LayUPClassifier().fit(known[::2], y[y < 7][::2])
        >>> threshold = np.quantile(classifier.score_samples(known[1::2]), 0.05)
        >>> flagged = classifier.score_samples(X[y >= 7]) < threshold
        >>> round(float(flagged.mean()), 1)
        0.7
        """
        check_is_fitted(self)
        X = self._check_X(X, reset=False)
        solution = self._solution()
        factor = self._factor(solution)
        scores = np.empty(_num_samples(X))
        for rows, features in self._leading_features(X, solution):
            whitened = factor.whiten(features)
            scores[rows] = cosine_similarity(whitened, factor.forward.T).max(axis=1)
        return np.clip(scores, -1, 1)

    def _factor(self, solution):
        if solution not in _FACTORS:
            n_features = solution.coef.shape[1]
            _FACTORS[solution] = RidgeFactor(self._sums(), solution.ridge, n_features)
        return _FACTORS[solution]

    @property
    def classes_(self):
        check_is_fitted(self)
        return self.statistics_.classes

    @property
    def ridge_(self):
        return self._solution().ridge

    @property
    def n_layers_(self):
        return self._solution().n_layers

    @property
    def coef_(self):
        return self._solution().coef

    @property
    def log_evidence_(self):
        return self._solution().log_evidence

    @property
    def ridge_scores_(self):
        return self._solution().scores

    def __getstate__(self):
        with _lock_of(self):
            return super().__getstate__()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if isinstance(self.encoder, str):
            tags.input_tags.two_d_array = False
            tags.input_tags.string = True
        elif self.encoder is not None:
            tags.input_tags = get_tags(self.encoder).input_tags
        return tags

    def _learn(self, X, y, declared, sample_weight, reset):
        self._validate_params()
        self._candidates()
        X, y, sample_weight, kept = self._check_samples(X, y, sample_weight, reset)
        encoder = self._fit_encoder(X, y) if reset else self.encoder_
        classes = union_of_labels([] if reset else self.classes_, declared, y)
        by_folds = self.ridge == "auto" and self.cv is not None

        if (
            not (reset or by_folds)
            and len(y) <= IN_PLACE_ROWS
            and np.array_equal(classes, self.classes_)
            and _is_sole_holder_of_sums(self)
        ):
            [(_, features)] = self._features(encoder, X, self.statistics_.n_features, kept)
            with _lock_of(self):
                if _is_sole_holder_of_sums(self):  # still: other threads may look
                    self._solutions = {}
                    _add_in_place(self.statistics_, features, y, sample_weight)
                    return

        held = None if reset else self.statistics_
        new = old = held and held.with_classes(classes)
        batch = []
        for rows, features in self._features(encoder, X, old and old.n_features, kept):
            if new is None:
                new = old = ClassStatistics.zeros(classes, features.shape[1], self.dtype)
            weight = None if sample_weight is None else sample_weight[rows]
            untouched = old if by_folds else held
            new = new.add_samples(features, y[rows], weight, overwrite=new is not untouched)
            if by_folds:
                batch.append(features)
        _check_finite(new.joint_gram.diagonal())
        choice = None if reset else self._choice_by_folds
        if by_folds:
            batch = np.concatenate(batch).astype(np.float64, copy=False)
            choice = self._choose_by_folds(encoder, old, batch, y, sample_weight, kept) or choice
        vars(self).update(
            encoder_=encoder,
            statistics_=new,
            _choice_by_folds=choice,
            _solutions={},
        )

    def _check_X(self, X, reset):
        if (self.encoder if reset else self.encoder_) is None:
            return validate_data(self, X, reset=reset)
        if getattr(X, "ndim", 0) == 3:  # chunks of 3 rows must not look like one image
            X = list(X)
        if issparse(X):
            X = X.tocsr()  # has rows to slice; whether it is welcome the encoder knows
        if not hasattr(X, "__getitem__") and hasattr(X, "__array__"):
            X = np.asarray(X)
        if not hasattr(X, "__getitem__") or isinstance(X, (str, bytes)) or type(X) is dict:
            raise ValueError(f"X must be a collection of samples, got {type(X).__name__}.")
        if _num_samples(X) == 0:
            raise ValueError("Found array with 0 sample(s): X is empty.")
        return X

    def _check_samples(self, X, y, sample_weight, reset):
        """Validated rows of positive weight, and a mask of where in X they stand."""
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the "
                "target y is None."
            )
        X = self._check_X(X, reset)
        y = _check_labels(y)
        check_consistent_length(X, y)
        kept = np.ones(len(y), dtype=bool)
        if sample_weight is not None:
            if not np.isscalar(sample_weight):
                sample_weight = np.asarray(sample_weight)
            if np.size(sample_weight) and not np.any(sample_weight):
                raise ValueError(
                    "sample_weight is zero for every sample: there is nothing to learn."
                )
            sample_weight = _check_sample_weight(
                sample_weight, y, dtype=np.float64, ensure_non_negative=True
            )
            if not sample_weight.all():
                kept = sample_weight > 0
                X = _safe_indexing(X, np.flatnonzero(kept))
                y, sample_weight = y[kept], sample_weight[kept]
        return X, y, sample_weight, kept

    def _fit_encoder(self, X, y):
        if self.encoder is None:
            return None
        for name in ("n_features_in_", "feature_names_in_"):  # of an earlier fit
            vars(self).pop(name, None)
        if isinstance(self.encoder, str):
            from .encoders import ImageEncoder

            layers = {"n_layers": self.n_layers} if isinstance(self.n_layers, Integral) else {}
            encoder = ImageEncoder(self.encoder, **layers)
        else:
            encoder = clone(self.encoder)
        encoder.fit(X, y)
        if hasattr(encoder, "n_features_in_"):
            self.n_features_in_ = encoder.n_features_in_
        return encoder

    def _features(self, encoder, X, n_features, kept=None):
        """Yield (rows, features) chunk by chunk."""
        for rows in gen_batches(_num_samples(X), CHUNK_ROWS):
            features = _safe_indexing(X, rows)
            if encoder is not None:
                try:
                    features = encoder.transform(features)
                except Exception as error:
                    if hasattr(error, "position"):  # of an image, within this chunk
                        position = error.position + rows.start
                        if kept is not None:
                            position = int(np.flatnonzero(kept)[position])
                        error.position = position
                    raise
                features = check_array(features, input_name="the encoder's output")
                n_samples = min(rows.stop, _num_samples(X)) - rows.start
                if len(features) != n_samples:
                    raise ValueError(
                        f"The encoder made {len(features)} row(s) of {n_samples} sample(s): X "
                        "must be a collection; one image is [image]."
                    )
                if n_features not in (None, features.shape[1]):
                    raise ValueError(
                        f"X has {features.shape[1]} features behind the encoder, but "
                        f"{type(self).__name__} is expecting {n_features} features as input."
                    )
            yield rows, features

    def _column_counts(self, encoder, n_features):
        """Numbers of leading columns to choose from; and those of 1, 2, ... layers."""
        ends = np.cumsum(getattr(encoder, "layer_sizes_", None) or [n_features]).tolist()
        if self.n_layers == "auto":
            return ends, ends
        if self.n_layers is not None and self.n_layers > len(ends):
            raise ValueError(
                f"n_layers={self.n_layers}, but the features come in {len(ends)} "
                "layer(s); lower it, or give an encoder with more layers."
            )
        return [ends[-1 if self.n_layers is None else self.n_layers - 1]], ends

    def _choose_by_folds(self, encoder, old, X, y, sample_weight, kept):
        """The choice on this batch; None where it is too small for two folds."""
        splits = self._splits(X, y, kept)
        if not splits:
            return None
        ridges = self._candidates()
        if ridges is None:
            squares = np.einsum("ij,ij->i", X, X, dtype=np.float64)
            trace = np.dot(squares, np.ones(len(y)) if sample_weight is None else sample_weight)
            trace += old.joint_gram.diagonal()[: X.shape[1]].sum()
            ridges = (trace / X.shape[1] or 1.0) * np.logspace(2, -8, 21)
        columns, _ = self._column_counts(encoder, X.shape[1])
        return choose_by_folds(old, X, y, sample_weight, splits, columns, ridges)

    def _splits(self, X, y, kept):
        """Index arrays (train, test) of the rows of positive weight."""
        cv = self.cv
        if hasattr(cv, "__next__"):
            raise ValueError("cv is an iterator, which serves one call only: give a list.")
        _, y, counts = np.unique(y, return_inverse=True, return_counts=True)
        if isinstance(cv, Integral):
            cv = min(cv, counts.max())
            if cv < 2:
                return []
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class")
            splits = list(check_cv(cv, y, classifier=True).split(X, y))
        if isinstance(cv, Integral) or hasattr(cv, "split"):
            return splits
        # index arrays given by the caller count the rows of weight zero, too
        place = np.where(kept, np.cumsum(kept) - 1, -1)

        def rows_of(part):
            rows = place[np.asarray(part) if len(part) else []]
            return rows[rows >= 0]

        try:
            splits = [tuple(map(rows_of, split)) for split in splits]
        except IndexError as error:
            raise ValueError(f"cv does not suit a call of {len(kept)} samples: {error}.") from error
        if not all(len(part) for split in splits for part in split):
            raise ValueError("cv leaves a fold without training or without test rows in this call.")
        return splits

    def _candidates(self):
        """The given ridges, checked; None for a continuous search."""
        if self.ridges is None:
            return None
        try:
            ridges = np.asarray(self.ridges, dtype=np.float64)
        except (TypeError, ValueError):
            ridges = np.empty(0)
        if ridges.ndim != 1 or not ridges.size or not (np.isfinite(ridges) & (ridges >= 0)).all():
            raise ValueError(
                f"ridges must be numbers, finite and not negative, got {self.ridges!r}."
            )
        return tuple(ridges.tolist())

    def _solution(self):
        check_is_fitted(self)
        self._validate_params()
        key = (self.ridge, self.n_layers, self._candidates(), self.cv is None)
        solutions = self._solutions  # a later partial_fit brings a dict of its own
        if key not in solutions:
            solutions[key] = self._solve()
        return solutions[key]

    def _sums(self):
        """The sums, which no thread changes as long as the caller holds them."""
        with _lock_of(self):
            return self.statistics_

    def _solve(self):
        statistics = self._sums()
        columns, ends = self._column_counts(self.encoder_, statistics.n_features)
        choice = self._choice_by_folds if self.cv is not None else None
        if self.ridge != "auto":
            choice = choose_by_evidence(statistics, columns, [self.ridge])
        elif choice is None:
            choice = choose_by_evidence(statistics, columns, self._candidates())
        elif choice.n_features not in columns:  # n_layers has changed since the folds
            choice = choose_by_evidence(statistics, columns, [choice.ridge])
        factor = choice.factor or RidgeFactor(statistics, choice.ridge, choice.n_features)
        return _Solution(
            ridge=choice.ridge,
            n_layers=ends.index(choice.n_features) + 1,
            coef=factor.coef(choice.n_features),
            classes=statistics.classes,
            seen=statistics.class_count > 0,
            log_evidence=float(factor.log_evidence(choice.n_features)),
            noise_variance=float(factor.noise_variance(choice.n_features)),
            scores=np.array(
                [(ends.index(d) + 1, ridge, score) for d, ridge, score in choice.scores],
                dtype=[("n_layers", int), ("ridge", float), ("score", float)],
            ),
            by_folds=choice is self._choice_by_folds,
        )


def _check_labels(y, name="y"):
    """1-D array of integers, booleans, whole floats or strings.

    Unlike check_classification_targets, it does not warn of many classes in few samples.
    """
    exact = getattr(getattr(y, "dtype", None), "numpy_dtype", None)  # pandas' nullable numbers
    if exact is not None and exact != object and not y.isna().any():
        y = y.to_numpy(dtype=exact)
    y = column_or_1d(y, warn=True)
    if y.dtype.kind in "OT":
        y = np.array(y, dtype=object)
        if all(isinstance(label, (bool, np.bool_, Real)) for label in y):
            y = np.array(y.tolist())
        elif not all(isinstance(label, str) for label in y):
            odd = next(i for i, label in enumerate(y) if not isinstance(label, str))
            raise ValueError(
                f"{name} holds {y[odd]!r} at position {odd}; labels are all numbers or all strings."
            )
    if y.dtype.kind not in "biufUSO":
        raise ValueError(f"Unknown label type: {y.dtype}; {name} holds integers or strings.")
    if y.dtype.kind == "f":
        if not np.isfinite(y).all():
            raise ValueError(f"Input {name} contains NaN or infinity.")
        if (y != np.floor(y)).any():
            raise ValueError(
                f"Unknown label type: continuous. {name} holds {y[y != np.floor(y)][0]}; labels "
                "are integers or strings."
            )
    return y


@dataclass(frozen=True, eq=False)
class _Solution:
    ridge: float
    n_layers: int
    coef: np.ndarray
    classes: np.ndarray
    seen: np.ndarray
    log_evidence: float
    noise_variance: float
    scores: np.ndarray
    by_folds: bool


_LOCKS = WeakKeyDictionary()  # of classifiers; a lock is never pickled
if hasattr(os, "register_at_fork"):  # a thread that held one then is not in the child
    os.register_at_fork(after_in_child=_LOCKS.clear)


def _lock_of(estimator):
    """Held while sums change in place, and to take hold of sums."""
    return _LOCKS.setdefault(estimator, RLock())


_FACTORS = WeakKeyDictionary()  # of the solutions in use; as large as the sums, so never pickled


@contextmanager
def _restored_on_failure(estimator):
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def _is_sole_holder_of_sums(estimator):
    """Whether no one else would notice the sums change in place."""
    return (
        sys.getrefcount(estimator.statistics_) <= _REFERENCES_OF_SOLE_HOLDER
        and sys.getrefcount(estimator.statistics_.joint_gram) <= _REFERENCES_OF_SOLE_HOLDER
        and estimator.statistics_.joint_gram.flags.writeable
    )


def _add_in_place(statistics, X, y, sample_weight):
    """Add a few rows; take them out again when an interrupt comes after the update."""
    squares = np.einsum("ij,ij->i", X, X, dtype=np.float64)
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    with np.errstate(over="ignore"):
        most = statistics.joint_gram.diagonal().max() + squares @ weight + weight.sum()
        most = most.astype(statistics.joint_gram.dtype)
    _check_finite(most)
    before = statistics.class_count.sum()
    try:
        statistics.add_samples(X, y, sample_weight, overwrite=True)
    except BaseException:
        if statistics.class_count.sum() != before:
            statistics.add_samples(X, y, sample_weight, overwrite=True, sign=-1.0)
        raise


def _same_feature_space(encoder, other):
    if encoder is other:
        return True
    if type(encoder) is not type(other):
        return False
    if hasattr(encoder, "fingerprint"):
        return encoder.fingerprint() == other.fingerprint()
    return joblib.hash(encoder) == joblib.hash(other)


def _check_finite(squares):
    if not float(np.max(squares)) < 1e300:  # room for solving; true for NaN
        raise ValueError(
            "The features or sample weights are too large: sums of their squares overflow; "
            "rescale them."
        )


_HOLDER = SimpleNamespace(held=object())
_REFERENCES_OF_SOLE_HOLDER = sys.getrefcount(_HOLDER.held)

"""The LayUP classifier: scikit-learn's interface to the model."""

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from itertools import chain
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import get_tags
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ._answers import Answers
from ._choice import RidgeChoice
from ._forgetting import check_known, without_samples
from ._labels import check_classes, check_labels, union_of_labels
from ._layers import check_n_layers, layer_sizes, new_encoder
from ._learning import learned
from ._model import Memo, Model
from ._persistence import load_model, one_clear_error, save_model
from ._readout import names_only_absent
from ._renaming import renamed
from ._rows import Batch, check_collection, check_same_features, encoded
from ._samples import apart, as_features
from ._solution import Settings, check_ridge, solution_of
from ._statistics import ClassStatistics
from ._summary import fitted_attributes_html, summary_of
from ._typing import Folds, Samples, StrPath
from ._validation import (
    COSINE,
    POSITIVE,
    SHARE,
    HasMethods,
    Interval,
    StrOptions,
    check_argument,
    check_candidates,
    check_features,
    check_not_none,
    differ,
    num_samples,
)

_OF_X = ("n_features_in_", "feature_names_in_")


class LayUPClassifier(ClassifierMixin, BaseEstimator):
    """Continual classifier on the features of a frozen encoder, from their second moments.

    Learns batch by batch (new classes, new domains, a stream) and keeps no samples: its
    state is the Gram matrix of the features and the sums of the features of each class.
    Any cut of the data into calls, in any order, gives the same model as one ``fit``.
    Learning and predicting one sample costs O(n_features^2).

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
        Candidates of the choice; of equally accurate ones the first wins. None: a search
        by evidence among powers of ten in half decades; for folds, those from 100 to 1e-8
        times the scale of the features.
    cv : int, splitter, iterable or None, default=None
        None: the choice maximises the marginal likelihood (evidence) of everything
        seen; it needs only the sums. Otherwise: by accuracy on these folds of the
        newest call, on top of the earlier sums. An int is lowered to the size of the
        call's largest class; where not even two folds can be made, the earlier choice
        stands. ``cv=4, ridges=PAPER_RIDGES`` is the procedure of the paper.
    rule : {"gaussian", "ridge"}, default="gaussian"
        How the sums become scores. "gaussian": Gaussian classes with one covariance, whose
        means are Gaussian, too; no shift of the features changes its answers, within rounding, and
        classes may be rare. "ridge": one-hot ridge regression without a mean, the paper's rule; it wants
        classes of similar size and features that are not centred.
    priors : {None, "uniform"} or dict of label -> share, default=None
        Shares of the classes where labels are predicted. None: their shares of what was learned.
        They may be changed at any time and cost no solution. A class of share 0 is never
        answered, and what was learned of it stays. Classes that the dict does not name have what
        the others leave of 1, in the shares that were learned: ``{"dog": 0}`` answers as if it
        were known that there are no dogs. Shares of all classes are divided by their sum; labels
        that were not learned yet wait. The ridge rule takes shares of 0 alone; the scores of
        the other classes are as they were.
    dtype : {"float64", "float32"}, default="float64"
        Type of the sums. "float32" halves their memory and the time of the update; the
        choice of the ridge and the solution are in double precision all the same. Sums over
        n samples then carry a relative error of about 1e-7 * sqrt(n), so that features should not
        lie a hundred times as far from zero as they vary. On seven real streams it changed not
        one predicted label.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels that were seen or declared.
    class_count_ : ndarray of shape (n_classes,)
        Number of samples of each class, or the sum of their weights.
    n_samples_seen_ : float
        Of all classes.
    statistics_ : ClassStatistics
        The sums, read-only.
    encoder_ : transformer or None
        The fitted encoder.
    ridge_ : float
        Ridge in use; where it was searched, a power of ten in half decades.
    n_layers_ : int
        Number of layers in use; ready features count as one layer.
    coef_ : ndarray of shape (n_classes, n_features)
        Coefficients on the features in use; zero for classes without samples.
    intercept_ : ndarray of shape (n_classes,)
        Constants of the scores, without the classes' shares; zero for the ridge rule.
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
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : The limit of many samples.
    sklearn.linear_model.RidgeClassifier : With `rule="ridge"`, the same for one `fit`.

    Notes
    -----
    With features X (n_samples, d) and one-hot labels Y (n_samples, K) of all calls::

        G = X'X        C = Y'X        W = C (G + ridge I)^-1

    With `rule="ridge"` the label is argmax W x (LayUP, [1]_, equations 3 to 5: no intercept, no
    scaling). The Gaussian rule gives the log densities of the two-covariance model, which G, C,
    the numbers of samples and W tell, too (``layup_sklearn._gaussian.gaussian_rule`` has the
    algebra, benchmarks/results/readout.md the comparison). A call costs one symmetric
    rank-n_samples update of G. Small calls wait: feature rows, an eighth of the number of
    features and 256 at most, are held until they are folded into G by one update, or until
    someone asks for `statistics_`, saves, pickles, merges or forgets. Meanwhile a solution is
    carried over them by the Cholesky factor of the sums (Woodbury), one triangular solve a row,
    exactly.

    Solving and the choice of the ridge wait until they are asked for, and are done once for
    each state and set of parameters: changing `ridge`, `ridges` or `n_layers` needs no new
    ``fit``. Only with `cv` is the choice made, and the features of the call held together,
    while the batch is at hand.

    The evidence of the sums ([2]_), given the share of each class, comes from one Cholesky
    factor of G + ridge I: three to five of them find its maximum. On seven real streams it
    chose better on average than folds or leave-one-out on the newest batch, GCV and two
    half-sums (benchmarks/results/ridge_choice.md).

    All that was learned is one immutable object, which a call replaces in the end: a call that
    fails or is interrupted has not happened, and predictions in other threads come from the
    old or the new one. Of two threads that learn at once one gets a RuntimeError. To learn
    beside predicting, let a copy learn (``copy.copy`` shares the sums), then swap it in.

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

    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    _parameter_constraints = {
        "encoder": [None, str, HasMethods(["fit", "transform"])],
        "n_layers": [None, StrOptions({"auto"}), POSITIVE],
        "ridge": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "ridges": [None, "array-like"],
        "cv": ["cv_object"],
        "rule": [StrOptions({"ridge", "gaussian"})],
        "priors": [None, StrOptions({"uniform"}), dict],
        "dtype": [StrOptions({"float64", "float32"})],
    }

    def __init__(
        self,
        encoder: BaseEstimator | str | None = None,
        *,
        n_layers: int | Literal["auto"] | None = None,
        ridge: float | Literal["auto"] = "auto",
        ridges: ArrayLike | None = None,
        cv: int | Folds | None = None,
        rule: Literal["gaussian", "ridge"] = "gaussian",
        priors: Literal["uniform"] | dict[Any, float] | None = None,
        dtype: Literal["float64", "float32"] = "float64",
    ):
        self.encoder = encoder
        self.n_layers = n_layers
        self.ridge = ridge
        self.ridges = ridges
        self.cv = cv
        self.rule = rule
        self.priors = priors
        self.dtype = dtype

    _model = None  # all that was learned; replaced whole, never changed
    _changed: dict[str, Any] = {}  # what the encoder and its parameters, set after the fit, were

    def fit(self, X: Samples, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Forget everything, then learn.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            Samples to learn; features are dense and finite.
        y : array-like of shape (n_samples,)
            Labels: numbers or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative. Weight 0 is a row left out, weight 2 a row given twice: weights that
            add up to 1 are one sample in all, which tells little.

        Returns
        -------
        self : LayUPClassifier
            The same object, which knows these samples alone.

        Raises
        ------
        ValueError
            For input that cannot be used.
        LinAlgError
            When `ridge`, or each of `ridges`, is too small for the features.
        RuntimeError
            When another thread has taught this object in the meantime. After any error the
            estimator is as it was.
        """
        return self._begin(X, y, [], sample_weight)

    def partial_fit(
        self,
        X: Samples,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
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
            Not negative. Weight 0 is a row left out, weight 2 a row given twice: weights that
            add up to 1 are one sample in all, which tells little.

        Returns
        -------
        self : LayUPClassifier
            The same object, which knows these samples and all earlier ones.

        Raises
        ------
        ValueError
            For input that cannot be used.
        LinAlgError
            At the first call, when `ridge`, or each of `ridges`, is too small for the features.
        RuntimeError
            When another thread has taught this object in the meantime. After any error the
            estimator is as it was.
        """
        declared = [] if classes is None else check_classes(classes, y)
        model, settings = self._model, self._settings()
        if model is None:
            return self._begin(X, y, declared, sample_weight)
        batch = self._check_batch(X, y, sample_weight)
        classes = union_of_labels(model.statistics.classes, declared, batch.y)
        batches = batch.encoded(model.encoder, model.statistics.n_features)
        folds = self.cv, self.priors
        new = learned(model, classes, batch, batches, settings, *folds, n_rows=len(batch))
        return self._replace(model, new)

    def merge(self, other: "LayUPClassifier") -> Self:
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
            When `other` is not a LayUPClassifier.
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
        model = self._fitted_model()
        if not isinstance(other, LayUPClassifier):
            raise TypeError(f"other must be a LayUPClassifier, got {type(other).__name__}.")
        others = other._fitted_model()
        check_same_features(self, other)
        with np.errstate(over="ignore"):  # the check of the sums says so, too
            statistics = model.folded().statistics + others.folded().statistics
        return self._replace(model, model.replaced(statistics, model.choice or others.choice))

    def forget(self, X: Samples, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
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
        model = self._fitted_model()
        batch = self._check_batch(X, y, sample_weight)
        old = model.folded().statistics
        check_known(old.classes, batch.y)
        new = old.add_batches(batch.encoded(model.encoder, old.n_features), sign=-1.0)
        return self._replace(model, model.replaced(without_samples(old, new)))

    def rename_classes(self, names: Mapping[Any, Any]) -> Self:
        """Give classes other labels, or make several classes one.

        Parameters
        ----------
        names : mapping of label -> label
            Old labels to new ones, all at once; classes that are not named keep theirs. Classes
            of one new label, or of a new label that another class has, become one class.

        Returns
        -------
        self : LayUPClassifier
            As if it had learned the same samples under the new labels. The choice made on folds
            stays.

        Raises
        ------
        TypeError
            When `names` is not a mapping.
        ValueError
            For an old label that is not among `classes_`, or when the labels would not all be
            numbers or all strings. The estimator stays as it was.

        See Also
        --------
        merge : Adds what another classifier has learned.
        forget : Takes samples out.

        Notes
        -----
        The sums of joined classes are added. The way back, one class cut in two, needs the samples:
        `forget` them, and learn them under their new label. Where `priors` are given by label, they
        are a parameter like any other: set them anew.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from layup_sklearn import LayUPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> classifier = LayUPClassifier().fit(X, y)
        >>> classifier.rename_classes({i: "odd" if i % 2 else "even" for i in range(10)}).classes_
        array(['even', 'odd'], dtype='<U4')
        """
        model = self._fitted_model()
        return self._replace(model, model.replaced(renamed(model.folded().statistics, names)))

    def summary(self) -> dict[str, Any]:
        """What was learned, without solving or loading anything.

        Returns
        -------
        summary : dict
            ``encoder``: its class and the name of its network, None for ready features;
            ``n_samples_seen`` and ``class_count``, by label: numbers of samples, or sums of their
            weights; ``layer_sizes``: columns of each layer, deepest first; ``n_layers`` and ``ridge``
            in use, None where no answer has needed them yet; ``nbytes``: of the sums and the rows
            that wait, in memory.

        Examples
        --------
        >>> from layup_sklearn import LayUPClassifier
        >>> classifier = LayUPClassifier().fit([[0.0, 1.0], [1.0, 0.0]], ["no", "yes"])
        >>> classifier.summary()["class_count"]
        {'no': 1.0, 'yes': 1.0}
        """
        return summary_of(self._fitted_model(), self._settings())

    def save(self, path: StrPath) -> None:
        """Write everything to one file, without pickle.

        Parameters
        ----------
        path : str or path
            A file there is replaced in one step: whoever reads it, and whatever stops
            this process, it is the old or the new one, whole.

        Raises
        ------
        ValueError
            When a parameter or the encoder is not a number, string, array or encoder of this
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
        model = self._fitted_model()
        choice = model.choice
        fitted = {name: getattr(self, name) for name in _OF_X if hasattr(self, name)}
        fitted["encoder_"] = model.encoder
        fitted["choice_by_folds"] = choice and [choice.ridge, choice.n_features, choice.scores]
        content = {"parameters": self.get_params(deep=False), "fitted": fitted}
        save_model(path, model.folded().statistics, content)

    @classmethod
    def load(cls, path: StrPath) -> Self:
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
        statistics, content = load_model(path)
        with one_clear_error(path):
            # Files of the first format know the ridge rule only, and not by name.
            classifier = cls(**{"rule": "ridge", **content["parameters"]})
            fitted = content["fitted"]
            classifier._validate_params()
            encoder, choice = fitted["encoder_"], fitted["choice_by_folds"]
            choice = choice and RidgeChoice(choice[0], choice[1], None, choice[2])
            vars(classifier).update((name, fitted[name]) for name in _OF_X if name in fitted)
            classifier._model = Model(encoder, statistics, choice=choice)
        return classifier

    def decision_function(self, X: Samples) -> NDArray[np.float64]:
        """Scores of the classes.

        Of the ridge rule they approach 1 for the class and 0 for the others; of the Gaussian rule
        they are logarithms of the classes' probabilities, up to a constant of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            Samples to score.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
            In the order of `classes_`; for two classes, the score of the second minus
            the score of the first. Classes without samples, or of share 0 (`priors`), have the
            lowest float, as in :func:`~sklearn.model_selection.cross_val_predict`.
        """
        scores = self._answers(X).scores()
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def _answers(self, X):
        model, solution = self._solved()
        return Answers(model, solution, self.priors, self._leading(X, model, solution))

    def _leading(self, X, model, solution):
        """Features in use of X, chunk by chunk, in float64."""
        X = self._check_X(X, model.encoder, reset=False)
        for _, features in encoded(X, model.encoder, model.statistics.n_features):
            yield features[:, : solution.rule.coef.shape[1]].astype(np.float64, copy=False)

    def predict(self, X: Samples) -> NDArray[Any]:
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
        return self._answers(X).labels()

    def score(self, X: Samples, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Share of samples whose label is predicted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            Samples to label.
        y : array-like of shape (n_samples,)
            Their labels, in any form that `fit` takes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the mean.

        Returns
        -------
        score : float
            Between 0 and 1.

        See Also
        --------
        sklearn.metrics.balanced_accuracy_score : The mean over classes.
        """
        y = check_labels(y)
        X = apart(X) if num_samples(X) == len(y) else X
        return super().score(X, y, sample_weight)

    def predict_proba(self, X: Samples) -> NDArray[np.float64]:
        """Probabilities of the classes, of which `predict` gives the largest.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            Samples to label.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; rows sum to 1. Classes without samples, or of share 0
            (`priors`), have 0.

        See Also
        --------
        predict_or_refuse : Labels, and which of them to refuse.
        sklearn.calibration.CalibratedClassifierCV : Fits the map from scores to
            probabilities on samples kept for it.

        Notes
        -----
        The softmax of the scores f over a temperature T that the sums tell, without a sample
        kept for it::

            p_c = exp(f_c / T) / sum_k exp(f_k / T)

        Of the Gaussian rule T = 1, for its scores are log densities, already brought to what
        they can be believed (``layup_sklearn._temperature``). Of the ridge rule T = sqrt(3) s / pi,
        with the standard deviation s of a label around its prediction, the noise of the evidence.
        Both rest on a ridge that suits the data: one fixed far too low makes doubts too small.
        For samples like nothing seen, probabilities mean nothing: see `score_samples`. Log losses
        and calibration errors are in benchmarks/results/readout.md.

        Examples
        --------
        Refuse what is unsure:

        >>> from sklearn.datasets import load_digits
        >>> from layup_sklearn import LayUPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> classifier = LayUPClassifier().fit(X[::2], y[::2])
        >>> probabilities = classifier.predict_proba(X[1::2])
        >>> right = classifier.classes_[probabilities.argmax(axis=1)] == y[1::2]
        >>> sure = probabilities.max(axis=1) > 0.9
        >>> [round(float(part.mean()), 2) for part in (sure, right[sure], right[~sure])]
        [0.71, 1.0, 0.81]
        """
        return self._answers(X).probabilities()

    def predict_log_proba(self, X: Samples) -> NDArray[np.float64]:
        """Logarithms of `predict_proba`, exact where probabilities are too small for a float.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            Samples to label.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; -inf for classes without samples or of share 0.
        """
        return self._answers(X).log_probabilities()

    def predict_top_k(self, X: Samples, k: int = 5) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """The labels of the largest scores, best first, and their probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            Samples to label.
        k : int, default=5
            How many labels of each sample. Where fewer classes can be answered, all of these: a
            stream begins with few.

        Returns
        -------
        labels : ndarray of shape (n_samples, min(k, n_answers))
            Of the classes with samples and a share above 0 (`priors`), by decreasing score, equal
            ones in the order of `classes_`; the first column is what `predict` gives.
        probabilities : ndarray of shape (n_samples, min(k, n_answers))
            Theirs, as in `predict_proba`.

        Raises
        ------
        ValueError
            When `k` is not a positive whole number.

        See Also
        --------
        sklearn.metrics.top_k_accuracy_score : How often the true label is among k.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from layup_sklearn import LayUPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> labels, probabilities = LayUPClassifier().fit(X, y).predict_top_k(X[:2], k=3)
        >>> labels
        array([[0, 9, 8],
               [1, 8, 2]])
        >>> probabilities.round(3)
        array([[0.999, 0.001, 0.   ],
               [0.998, 0.001, 0.   ]])
        """
        check_argument("k", k, POSITIVE)
        return self._answers(X).top_labels(k)

    def predict_or_refuse(
        self, X: Samples, *, min_probability: float = 0.0, min_similarity: float = -1.0
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Labels of largest score, and whether they can be relied on.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or what the encoder takes
            Samples to label; they go through the encoder once for both questions.
        min_probability : float, default=0.0
            Refuse samples whose label has a lower probability (`predict_proba`): those that
            could as well be of another class that was seen.
        min_similarity : float, default=-1.0
            Refuse samples of lower `score_samples`: those that look like no class that was seen. A
            quantile of that score on samples of seen classes that were not learned is a good
            value: the 5 % quantile refuses 5 % of such samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            As `predict` gives them.
        accepted : ndarray of shape (n_samples,), bool
            False where the label is refused.

        Raises
        ------
        ValueError
            When `min_probability` is not between 0 and 1, or `min_similarity` not between -1
            and 1.

        See Also
        --------
        sklearn.model_selection.FixedThresholdClassifier : Moves the threshold between two
            classes; refuses none.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_digits
        >>> from layup_sklearn import LayUPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> known = X[y < 7]
        >>> classifier = LayUPClassifier().fit(known[::2], y[y < 7][::2])
        >>> lowest = np.quantile(classifier.score_samples(known[1::2]), 0.05)
        >>> labels, accepted = classifier.predict_or_refuse(
        ...     X[5:10], min_probability=0.9, min_similarity=lowest
        ... )
        >>> np.where(accepted, labels, -1)
        array([-1,  6, -1, -1, -1])
        """
        check_argument("min_probability", min_probability, SHARE)
        check_argument("min_similarity", min_similarity, COSINE)
        return self._answers(X).reliable_labels(min_probability, min_similarity)

    def score_samples(self, X: Samples) -> NDArray[np.float64]:
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
        predict_or_refuse : Labels, and which of them to refuse.
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
        return self._answers(X).familiarity()

    @property
    def classes_(self) -> NDArray[Any]:
        return self._fitted_model().statistics.classes

    @property
    def class_count_(self) -> NDArray[np.float64]:
        return self._fitted_model().class_count

    @property
    def n_samples_seen_(self) -> float:
        return self._fitted_model().n_samples

    @property
    def statistics_(self) -> ClassStatistics:
        return self._fitted_model().folded().statistics

    @property
    def encoder_(self) -> BaseEstimator | None:
        return self._fitted_model().encoder

    @property
    def ridge_(self) -> float:
        return self._solved()[1].ridge

    @property
    def n_layers_(self) -> int:
        return self._solved()[1].n_layers

    @property
    def coef_(self) -> NDArray[np.float64]:
        return self._solved()[1].rule.coef

    @property
    def intercept_(self) -> NDArray[np.float64]:
        return self._solved()[1].rule.intercept

    @property
    def log_evidence_(self) -> float:
        return float(self._solved()[1].evidence.log_likelihood())

    @property
    def ridge_scores_(self) -> NDArray[np.void]:
        return self._solved()[1].scores

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also those of the encoder, ``encoder__NAME``.

        Parameters
        ----------
        **params : dict
            Where the encoder is a name, parameters of it make it an ``ImageEncoder``. Another
            encoder, and other parameters of it, hold from the next `fit` on, which has to come
            first, or they are set back.

        Returns
        -------
        self : LayUPClassifier
            The same object.
        """
        of_encoder = {k: v for k, v in params.items() if k.split("__")[0] == "encoder"}
        before = {**self.get_params(), **self._changed}
        name = params.get("encoder", self.encoder)
        if isinstance(name, str) and of_encoder.keys() - {"encoder"}:
            params = {**params, "encoder": new_encoder(name, None)}
        super().set_params(**params)
        if self._model is not None:
            kept = {k: v for k, v in self._changed.items() if k not in of_encoder}
            changed = {k: before.get(k) for k, v in of_encoder.items() if differ(before.get(k), v)}
            self._changed = {**kept, **changed}
        return self

    def __dir__(self):
        """All names. scikit-learn looks at each attribute first, which would solve."""
        return object.__dir__(self)

    def __sklearn_is_fitted__(self):
        return self._model is not None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if isinstance(self.encoder, str):
            tags.input_tags.two_d_array = False
            tags.input_tags.string = True
        elif self.encoder is not None:
            tags.input_tags = get_tags(self.encoder).input_tags
        return tags

    def _get_fitted_attr_html(self, doc_link=""):
        return fitted_attributes_html(self, self._settings(), doc_link)

    def _settings(self):
        """The checked parameters that a solution depends on."""
        self._validate_params()
        ridges, by_folds = check_candidates(self.ridges), self.cv is not None
        if self.rule == "ridge" and not names_only_absent(self.priors):
            raise ValueError(
                "The ridge rule knows no shares: with rule='ridge' priors names classes of share 0 alone, "
                f"which are never answered; got {self.priors!r}."
            )
        by_folds = by_folds and self.ridge == "auto"
        return Settings(self.n_layers, self.ridge, ridges, by_folds, self.rule)

    def _fitted_model(self):
        model = self._model
        if model is None:
            check_is_fitted(self)
        return model

    def _solved(self):
        """The model, read once, and its solution under the parameters of now."""
        model = self._fitted_model()
        return model, solution_of(model, self._settings())

    def _begin(self, X, y, declared, sample_weight):
        """Learn on a fresh estimator, and become it."""
        before, fresh = self._model, copy(self)
        for name in ("_model", "_changed", *_OF_X):
            fresh.__dict__.pop(name, None)
        settings = fresh._settings()
        batch = fresh._check_batch(X, y, sample_weight, reset=True)
        encoder = fresh._fit_encoder(batch)
        batches = batch.encoded(encoder)
        first = next(batches)
        classes = union_of_labels(declared, batch.y)
        empty = Model.empty(encoder, classes, first[0].shape[1], self.dtype)
        batches = chain([first], batches)
        fresh._model = learned(empty, classes, batch, batches, settings, self.cv, self.priors)
        check_ridge(fresh._model, settings)
        return self._replace(before, fresh._model, fresh.__dict__)

    def _replace(self, old, new, state=None):
        """Take over a new model, or a whole new state, unless `old` is no longer the model."""
        # Python switches threads at calls and loops: not between comparing and assigning.
        if self._model is not old:
            raise RuntimeError(
                "Another thread has taught this classifier in the meantime: the samples of this "
                "call were not learned. Let one thread learn at a time, or each a copy, and merge."
            )
        elif state is None:
            self._model = new
        else:
            self.__dict__ = state
        return self

    def _with_encoder(self, encoder):
        """A shallow copy whose model has another fitted encoder, of the same features."""
        other = copy(self)
        other._model = replace(self._model, encoder=encoder, memo=Memo())
        return other

    def _check_batch(self, X, y, sample_weight=None, reset=False):
        check_not_none(y, self)
        y = check_labels(y)
        X = self._check_X(X, self.encoder if reset else self.encoder_, reset, len(y))
        check_consistent_length(X, y)
        return Batch.of(X, y, sample_weight)

    def _check_X(self, X, encoder, reset, n_labels=None):
        if not reset and self._changed:
            raise ValueError(
                f"{min(self._changed)} was set after the fit and the fitted encoder is as it was: call "
                "fit, or set what changes no feature on that one, encoder_.set_params(...)."
            )
        if encoder is not None:
            named = isinstance(encoder, str)
            return check_collection(X, new_encoder(encoder, None) if named else encoder, n_labels)
        return check_features(self, as_features(X), reset)

    def _fit_encoder(self, batch):
        encoder = self.encoder
        if encoder is not None:
            encoder = batch.fitted(new_encoder(encoder, self.n_layers))
        check_n_layers(self.n_layers, layer_sizes(encoder), encoder)
        if hasattr(encoder, "n_features_in_"):
            self.n_features_in_ = encoder.n_features_in_
        return encoder

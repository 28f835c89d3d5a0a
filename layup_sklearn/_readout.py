"""From sums and ridge coefficients to the scores of labels, probabilities and novelty."""

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax


class LinearRule(NamedTuple):
    """Scores X coef' + intercept of the classes.

    Attributes
    ----------
    coef : ndarray of shape (n_classes, n_features)
    intercept : ndarray of shape (n_classes,)
    """

    coef: np.ndarray
    intercept: np.ndarray

    def scores(self, X, seen):
        """Scores of rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features), float64
        seen : ndarray of shape (n_classes,), bool

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes)
            Classes not seen have the lowest float, as in scikit-learn's cross_val_predict.
        """
        scores = X @ self.coef.T + self.intercept
        scores[:, ~seen] = np.finfo(np.float64).min
        return scores


def with_shares(rule, priors, classes, class_count):
    """A rule of log densities and the logarithms of the seen classes' shares.

    Parameters
    ----------
    rule : LinearRule
    priors : None, "uniform" or mapping of label -> share
        None: the classes' shares of what was learned. A class of share 0 scores -inf.
    classes : ndarray of shape (n_classes,)
    class_count : ndarray of shape (n_classes,)
    """
    seen, intercept = class_count > 0, rule.intercept.copy()
    intercept[seen] += _log_priors(priors, classes[seen], class_count[seen])
    return rule._replace(intercept=intercept)


def without_absent(rule, priors, classes, class_count):
    """The same of a rule that knows no shares: classes of share 0 score -inf, the others as before.

    Parameters
    ----------
    rule, priors, classes, class_count
        As in `with_shares`.
    """
    if not priors:
        return rule
    absent = np.isneginf(with_shares(rule, priors, classes, class_count).intercept)
    return rule._replace(intercept=np.where(absent, -np.inf, rule.intercept))


def names_only_absent(priors):
    """Whether priors say nothing, or only which classes are never answered."""
    return priors is None or (not isinstance(priors, str) and not any(priors.values()))


def _log_priors(priors, classes, class_count):
    if priors is None:
        return np.log(class_count / class_count.sum())
    if isinstance(priors, str):
        return np.full(len(classes), -np.log(len(classes)))
    with np.errstate(divide="ignore"):  # a class of share 0 scores -inf
        return np.log(_shares(priors, classes.tolist(), class_count))


def _shares(priors, labels, class_count):
    """Shares of all classes; those without one have what the others leave of 1, as learned."""
    if other := [label for label in priors if isinstance(label, str) != isinstance(labels[0], str)]:
        raise ValueError(
            f"priors names {other[0]!r}, and classes are labels such as {labels[0]!r}."
        )
    shares = np.array([priors.get(label, 0) for label in labels], dtype=np.float64)
    rest = np.array([label not in priors for label in labels])
    if not (np.isfinite(shares) & (shares >= 0)).all():
        raise ValueError(f"priors must not be negative, got {dict(priors)!r}.")
    left = 1 - shares.sum()
    if rest.any() and left < 1e-9:
        raise ValueError(
            f"priors has no share for the class {labels[rest.argmax()]!r}, and the others leave none of 1."
        )
    shares[rest] = left * class_count[rest] / class_count[rest].sum()
    if not shares.any():
        raise ValueError("priors are 0 for every class that has samples.")
    return shares / shares.sum()


def log_probabilities(scores, temperature=1.0):
    """Logarithms of the softmax of scores over a temperature; parameters as there."""
    return log_softmax(scores / temperature, axis=1)


def label_probabilities(scores, temperature=1.0):
    """Softmax of scores over a temperature.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes)
        Log densities, or ridge scores.
    temperature : float, default=1.0
        For ridge scores see `noise_temperature`.

    Returns
    -------
    probabilities : ndarray of shape (n_samples, n_classes)
        Rows sum to 1; the first largest score has the only largest probability, however
        close the next is.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn._readout import label_probabilities
    >>> label_probabilities(np.array([[3.0, 1.0, 1.0]])).round(2)
    array([[0.79, 0.11, 0.11]])
    """
    rows, best = np.arange(len(scores)), scores.argmax(axis=1)
    behind = scores - scores[rows, best, np.newaxis]
    probabilities = np.exp(behind / temperature)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    probabilities[rows, best] = np.nextafter(probabilities[rows, best], 1)
    return probabilities


def largest(scores: np.ndarray, k: int) -> np.ndarray:
    """Columns of the k largest scores of every row, best first; of equal ones the first wins.

    Classes that are never answered, whose scores are the lowest float or -inf, are left out.
    """
    n_answers = np.count_nonzero(scores[0] > np.finfo(scores.dtype).min)
    return np.argsort(-scores, axis=1, kind="stable")[:, : min(k, n_answers)]


def familiarity(scores, leverage, norms):
    """Whitened cosine similarity to the nearest class mean.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_seen)
        Ridge scores x' A^-1 C_c.
    leverage : ndarray of shape (n_samples,)
        x' A^-1 x.
    norms : ndarray of shape (n_seen,)
        C_c' A^-1 C_c.

    Returns
    -------
    familiarity : ndarray of shape (n_samples,)
        Between -1 and 1; 0 for a row of zeros.
    """
    lengths = np.sqrt(np.outer(leverage, norms))
    cosine = np.divide(scores, lengths, out=np.zeros_like(scores), where=lengths > 0)
    return np.clip(cosine.max(axis=1), -1, 1)

"""From sums and ridge coefficients to the scores of labels, probabilities and novelty."""

from typing import NamedTuple

import numpy as np


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


def log_priors(priors, classes, class_count):
    """Logarithms of the shares of the seen classes.

    Parameters
    ----------
    priors : None, "uniform" or mapping of label -> share
        None: the classes' shares of what was learned.
    classes : ndarray of shape (n_seen,)
    class_count : ndarray of shape (n_seen,)

    Returns
    -------
    log_priors : ndarray of shape (n_seen,)
    """
    if priors is None:
        return np.log(class_count / class_count.sum())
    if isinstance(priors, str):
        return np.full(len(classes), -np.log(len(classes)))
    labels = classes.tolist()
    if missing := [label for label in labels if label not in priors]:
        raise ValueError(f"priors has no share for the class {missing[0]!r}.")
    shares = np.array([priors[label] for label in labels], dtype=np.float64)
    if not (np.isfinite(shares) & (shares > 0)).all():
        raise ValueError(f"priors must be positive, got {dict(priors)!r}.")
    return np.log(shares / shares.sum())


def label_probabilities(scores, noise_variance):
    """Softmax of ridge scores at the scale of their noise.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes)
        Predicted one-hot labels.
    noise_variance : float
        Variance s^2 of a one-hot label around its prediction; positive.

    Returns
    -------
    probabilities : ndarray of shape (n_samples, n_classes)
        Rows sum to 1; the first largest score has the only largest probability, however
        close the next is.

    Notes
    -----
    ::

        p_c = exp(f_c / T) / sum_k exp(f_k / T)        T = sqrt(3) s / pi

    A logistic variable of scale T has variance (pi T)^2 / 3 = s^2: between two classes, the
    probability is that of a logistic noise of standard deviation s not to turn their scores
    round. One T for all samples keeps the order of the scores within and between samples.

    Examples
    --------
    >>> import numpy as np

        >>> from layup_sklearn._readout import label_probabilities
    >>> label_probabilities(np.array([[0.6, 0.2, 0.2]]), noise_variance=0.1).round(2)
    array([[0.83, 0.08, 0.08]])
    """
    rows, best = np.arange(len(scores)), scores.argmax(axis=1)
    behind = scores - scores[rows, best, np.newaxis]
    probabilities = np.exp(behind / (np.sqrt(3 * noise_variance) / np.pi))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    probabilities[rows, best] = np.nextafter(probabilities[rows, best], 1)
    return probabilities


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

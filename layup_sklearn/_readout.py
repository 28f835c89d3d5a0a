"""From ridge scores to labels, probabilities and novelty."""

import numpy as np


def ridge_scores(X, coef, seen):
    """Predicted one-hot labels.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
    coef : ndarray of shape (n_classes, n_features)
    seen : ndarray of shape (n_classes,), bool

    Returns
    -------
    scores : ndarray of shape (n_samples, n_classes)
        X coef'; classes not seen have the lowest float, as in scikit-learn's
        cross_val_predict.
    """
    scores = X @ coef.T
    scores[:, ~seen] = np.finfo(np.float64).min
    return scores


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

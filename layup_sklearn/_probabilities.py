"""From ridge scores to probabilities."""

import numpy as np


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
    >>> from layup_sklearn._probabilities import label_probabilities
    >>> label_probabilities(np.array([[0.6, 0.2, 0.2]]), noise_variance=0.1).round(2)
    array([[0.83, 0.08, 0.08]])
    """
    rows, best = np.arange(len(scores)), scores.argmax(axis=1)
    behind = scores - scores[rows, best, np.newaxis]
    probabilities = np.exp(behind / (np.sqrt(3 * noise_variance) / np.pi))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    probabilities[rows, best] = np.nextafter(probabilities[rows, best], 1)
    return probabilities

"""The two rules that turn a factor of the sums into linear scores."""

import numpy as np

from ._gaussian import gaussian_rule
from ._readout import LinearRule
from ._symmetric import read_only


def linear_rule(name, factor, evidence, class_sum, gram, n_features):
    """Scores of the classes, without their shares.

    Parameters
    ----------
    name : {"gaussian", "ridge"}
    factor : RidgeFactor or CarriedFactor
    evidence : Evidence
        Of the factor and these columns.
    class_sum : ndarray of shape (n_classes, d)
        Of the sums that the factor is of.
    gram : ndarray of shape (d, d)
        The same; read where there are more classes than features.
    n_features : int
        Number of leading columns.

    Returns
    -------
    LinearRule
        Read-only; zero for classes without samples.
    """
    coef = factor.coef(n_features)
    if name == "ridge":
        return LinearRule(read_only(coef), read_only(np.zeros(len(coef))))
    seen = evidence.class_count > 0
    rows = slice(None) if seen.all() else seen  # a slice copies nothing
    found = gaussian_rule(
        coef[rows],
        class_sum[rows, :n_features],
        evidence.class_count[rows],
        factor.ridge,
        factor.inverse_trace(n_features),
        evidence.noise_variance(),
        gram[:n_features, :n_features],
    )
    return LinearRule(*(read_only(_of_all(part, seen)) for part in found))


def _of_all(part, seen):
    """Zero for the classes that were not seen."""
    if len(part) == len(seen):
        return part
    whole = np.zeros((len(seen), *part.shape[1:]))
    whole[seen] = part
    return whole

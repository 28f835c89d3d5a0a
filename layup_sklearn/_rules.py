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
    rule = LinearRule(coef, np.zeros(len(coef)))
    if name == "gaussian":
        seen = evidence.class_count > 0
        if seen.all():
            seen = slice(None)  # copies nothing
        found = gaussian_rule(
            coef[seen],
            class_sum[seen, :n_features],
            evidence.class_count[seen],
            factor.ridge,
            factor.inverse_trace(n_features),
            evidence.noise_variance(),
            gram[:n_features, :n_features],
        )
        if len(found.coef) == len(coef):
            rule = found
        else:
            rule = LinearRule(np.zeros_like(coef), rule.intercept)
            for part, of_seen in zip(rule, found):
                part[seen] = of_seen
    return LinearRule(*map(read_only, rule))

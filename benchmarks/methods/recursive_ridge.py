"""Analytic recursive ridge on the last layer with a fixed ridge of 1.

The recursion of analytic continual learning (Zhuang et al., ACIL, NeurIPS 2022, without its
random features) updates (G + ridge I)^-1 by the Woodbury identity; the sums give the same.
"""

from layup_sklearn import LayUPClassifier

FEATURES = {"n_layers": 1, "pool": "token", "layer_norm": True}
ORDER_FREE = True


def make(sizes, seed):
    return LayUPClassifier(rule="ridge", ridge=1.0)

"""LayUP with this package's features and choice of the ridge, and the paper's rule for labels."""

from layup_sklearn import LayUPClassifier

from .layup import FEATURES  # noqa: F401

ORDER_FREE = True


def make(sizes, seed):
    return LayUPClassifier(rule="ridge")

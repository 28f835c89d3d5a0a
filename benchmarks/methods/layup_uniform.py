"""LayUP as `layup`, with `priors="uniform"`: told that all classes are equally likely in the test."""

from layup_sklearn import LayUPClassifier

from .layup import FEATURES, ORDER_FREE  # noqa: F401


def make(sizes, seed):
    return LayUPClassifier(priors="uniform")

"""LayUP as `layup`, the number of layers chosen by evidence, too."""

from layup_sklearn import LayUPClassifier

from ._layers import Layers
from .layup import FEATURES  # noqa: F401


def make(sizes, seed):
    return LayUPClassifier(Layers(sizes), n_layers="auto")

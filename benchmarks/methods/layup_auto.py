"""LayUP as `layup`, the number of layers chosen by evidence among all."""

from layup_sklearn import Layers, LayUPClassifier

FEATURES = {"pool": "auto", "layer_norm": "auto"}
ORDER_FREE = True


def make(sizes, seed):
    return LayUPClassifier(Layers(sizes), n_layers="auto")

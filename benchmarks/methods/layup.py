"""LayUP with this package's defaults: means of 6 layers (layer norm for ViTs), evidence."""

from layup_sklearn import LayUPClassifier

FEATURES = {"n_layers": 6, "pool": "avg", "layer_norm": "auto"}


def make(sizes, seed):
    return LayUPClassifier()

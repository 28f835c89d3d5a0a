"""LayUP with this package's defaults: means of 6 layers (with layer norm, or of maps with standard deviations)."""

from layup_sklearn import LayUPClassifier

FEATURES = {"n_layers": 6, "pool": "auto", "layer_norm": "auto"}


def make(sizes, seed):
    return LayUPClassifier()

"""LayUP with this package's defaults: 6 layers; means, of maps and texts with deviations."""

from layup_sklearn import LayUPClassifier

FEATURES = {"n_layers": 6, "pool": "auto", "layer_norm": "auto"}
ORDER_FREE = True


def make(sizes, seed):
    return LayUPClassifier()

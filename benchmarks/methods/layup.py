"""LayUP with this package's choices: mean pooling, layer norm, 12 layers, ridge by evidence."""

from layup_sklearn import LayUPClassifier

FEATURES = {"n_layers": 12, "pool": "avg", "layer_norm": True}


def make(sizes, seed):
    return LayUPClassifier()

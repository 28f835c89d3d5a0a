"""The last layer alone: class token, layer norm, ridge by evidence."""

from layup_sklearn import LayUPClassifier

FEATURES = {"n_layers": 1, "pool": "token", "layer_norm": True}
ORDER_FREE = True


def make(sizes, seed):
    return LayUPClassifier()

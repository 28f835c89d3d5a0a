"""Linear probe by SGD on the last layer: scikit-learn's SGDClassifier.partial_fit, log loss."""

from sklearn.linear_model import SGDClassifier

FEATURES = {"n_layers": 1, "pool": "token", "layer_norm": True}


def make(sizes, seed):
    return SGDClassifier(loss="log_loss", random_state=seed)

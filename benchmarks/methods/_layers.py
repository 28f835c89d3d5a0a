from sklearn.base import BaseEstimator, TransformerMixin


class Layers(TransformerMixin, BaseEstimator):
    """Ready features that know their layers, deepest first."""

    def __init__(self, sizes):
        self.sizes = sizes

    def fit(self, X, y=None):
        self.layer_sizes_ = list(self.sizes)
        return self

    def transform(self, X):
        return X

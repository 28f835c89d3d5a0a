"""Ten nearest neighbours by cosine among all samples so far, features as `layup`."""

from sklearn.neighbors import KNeighborsClassifier

from ._collected import OfScikitLearn
from .layup import FEATURES  # noqa: F401

ORDER_FREE = True


class Neighbors(OfScikitLearn):
    def learn(self, X, codes):
        self.estimator.set_params(n_neighbors=min(10, len(X)))
        super().learn(X, codes)


def make(sizes, seed):
    return Neighbors(KNeighborsClassifier(metric="cosine", weights="distance"))

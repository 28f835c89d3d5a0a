"""Linear discriminant analysis of scikit-learn, Ledoit-Wolf shrinkage, on all samples so far."""

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ._collected import OfScikitLearn
from .layup import FEATURES  # noqa: F401

ORDER_FREE = True


def make(sizes, seed):
    return OfScikitLearn(LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))

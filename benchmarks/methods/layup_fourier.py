"""LayUP with this package's defaults on 5,000 random Fourier features of those that `layup` sees.

The features of KLDA, by scikit-learn's RBFSampler, whose width follows from the first batch; sums in
float32, so that the state is as large.
"""

from sklearn.kernel_approximation import RBFSampler

from layup_sklearn import LayUPClassifier

from .layup import FEATURES  # noqa: F401


def make(sizes, seed):
    sampler = RBFSampler(gamma="scale", n_components=5_000, random_state=seed)
    return LayUPClassifier(sampler, dtype="float32")

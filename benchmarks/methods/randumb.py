"""RanDumb: random Fourier features and streaming LDA, features as `layup`.

Prabhu et al., "RanDumb: a simple approach that questions the efficacy of continual representation
learning", NeurIPS 2024; 10,000 components where the paper has 25,000, whose covariance takes 5 GB, and
its shrinkage of 1e-4. The width of the kernel as `klda`.
"""

from .klda import FourierLDA
from .layup import FEATURES  # noqa: F401


def make(sizes, seed):
    return FourierLDA(10_000, 1e-4, seed, itemsize=8)

"""Fashion-MNIST: 10,000 and 2,000 of its images, 10 classes; 5 tasks. Samples as in ``fashion``."""

from . import fashion


def load(root):
    return fashion.load(root, n_train=10_000, n_test=2_000)

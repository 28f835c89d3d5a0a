"""Digits: 1,797 grey images of 8 x 8 pixels, 10 classes, a quarter to test; 5 tasks.

In scikit-learn.
"""

import numpy as np
from sklearn.datasets import load_digits

from . import Dataset


def load(root):
    images, y = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8) / 16
    train = np.zeros(len(y), dtype=bool)
    train[np.random.default_rng(0).permutation(len(y))[:1347]] = True
    return Dataset(images[train], y[train], images[~train], y[~train])

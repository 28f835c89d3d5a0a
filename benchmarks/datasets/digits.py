"""Digits: 1,797 grey images of 8 x 8 pixels, 10 classes; 5 tasks. In scikit-learn."""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from . import Dataset


def load(root):
    images, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(
        images.reshape(-1, 8, 8) / 16, y, test_size=0.25, stratify=y, random_state=0
    )
    return Dataset(train, y_train, test, y_test)

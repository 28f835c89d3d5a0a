"""CIFAR-100: 100 classes of pictures of 32 x 32 pixels; 10 tasks of 10 classes.

Folder: cifar-100-python/{train,test}, the pickled batches of the original cifar-100-python.tar.gz, or
cifar100/{train,test}/CLASS/*, the same as pictures (github.com/cyizhuo/CIFAR-100-dataset).
"""

import pickle
from pathlib import Path

import numpy as np

from . import Dataset
from ._folders import load_class_folders, require
from ._order import check_counts

ALLOWED = {"numpy.core.multiarray._reconstruct", "numpy.ndarray", "numpy.dtype"}


class ArrayUnpickler(pickle.Unpickler):
    """Builds arrays and plain containers; anything else could run code."""

    def find_class(self, module, name):
        if f"{module}.{name}" not in ALLOWED:
            raise pickle.UnpicklingError(f"A batch of CIFAR-100 does not hold {module}.{name}.")
        return super().find_class(module, name)


def read_batch(path):
    """Images of shape (n, 32, 32, 3), uint8, and their labels."""
    with open(path, "rb") as file:
        batch = ArrayUnpickler(file, encoding="latin1").load()  # written by Python 2
    pixels = batch["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels), np.array(batch["fine_labels"])


def load(root):
    if Path(root, "cifar100").exists():
        dataset = load_class_folders(root, "cifar100", n_tasks=10)
    else:
        dataset = _from_batches(root)
    check_counts("cifar100", dataset, n_classes=100, n_train=50_000, n_test=10_000)
    return dataset


def _from_batches(root):
    layout = "cifar-100-python/train and cifar-100-python/test"
    parts = [require(root, f"cifar-100-python/{part}", layout) for part in ("train", "test")]
    (train, y_train), (test, y_test) = map(read_batch, parts)
    return Dataset(train, y_train, test, y_test, n_tasks=10)

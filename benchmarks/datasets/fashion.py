"""Fashion-MNIST: 2,000 and 1,000 of its grey images of 28 x 28 pixels, 10 classes; 5 tasks.

From Debian's package dataset-fashion-mnist (MIT), fetched with apt-get.
"""

import gzip

import numpy as np

from . import Dataset
from ._download import download_deb


def load(root, n_train=2000, n_test=1000):
    folder = download_deb("dataset-fashion-mnist", root / "downloads")
    folder = folder / "usr/share/datasets/fashion-mnist"
    rng, arrays = np.random.default_rng(0), []
    for part, n in (("train", n_train), ("t10k", n_test)):
        pixels = np.frombuffer(_read(folder / f"{part}-images-idx3-ubyte.gz"), np.uint8, offset=16)
        labels = np.frombuffer(_read(folder / f"{part}-labels-idx1-ubyte.gz"), np.uint8, offset=8)
        rows = rng.permutation(len(labels))[:n]
        arrays += [pixels.reshape(-1, 28, 28)[rows], labels[rows].astype(int)]
    return Dataset(*arrays)


def _read(path):
    with gzip.open(path) as file:
        return file.read()

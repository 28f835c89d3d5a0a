"""CDDB: real or generated pictures, 2 classes, domain-incremental over 5 sources.

Folder: CDDB/SOURCE/{train,val}/[SUB/]{0_real,1_fake}/* for the sources gaugan, biggan, wild,
whichfaceisreal and san; other sources beside them are not read. SUB stands for folders in
between, of objects, that some sources have. The test set is val.
"""

import numpy as np

from . import Dataset
from ._folders import images, require, subfolders

DOMAINS = ["gaugan", "biggan", "wild", "whichfaceisreal", "san"]
CLASSES = ["0_real", "1_fake"]


def read_part(root, part):
    """Paths, classes and domains of train or val."""
    paths, classes, domains = [], [], []
    for domain in DOMAINS:
        path = f"CDDB/{domain}/{part}"
        layout = f"{path}/0_real/* and {path}/1_fake/*, or the two in folders below {part}"
        folder = require(root, path, layout)
        inside = subfolders(folder)
        direct = not inside or not set(CLASSES).isdisjoint(inside)
        for parent in [folder] if direct else [folder / name for name in inside]:
            for label, name in enumerate(CLASSES):
                found = images(require(root, parent / name, layout))
                paths += found
                classes += [label] * len(found)
                domains += [domain] * len(found)
    return paths, np.array(classes), np.array(domains)


def load(root):
    train, y_train, domain_train = read_part(root, "train")
    test, y_test, domain_test = read_part(root, "val")
    return Dataset(train, y_train, test, y_test, domain_train, domain_test, DOMAINS)

"""PACS: 7 classes as photos, paintings, cartoons and sketches; domain-incremental.

Folder: pacs/{train,test}/DOMAIN/CLASS/*, the domains photo, art_painting, cartoon and sketch. A part of
PACS (Li et al., ICCV 2017): of each class and domain 30 test pictures, or 30 % where these are
fewer, and up to 100 training pictures. Photos of these classes are in ImageNet.
"""

from itertools import chain

import numpy as np

from . import Dataset
from ._folders import load_class_folders, require
from ._order import check_counts

DOMAINS = ["photo", "art_painting", "cartoon", "sketch"]


def _joined(parts):
    """Paths, classes and domains of (paths, classes) of every domain."""
    paths, classes = zip(*parts)
    return (
        list(chain(*paths)),
        np.concatenate(classes),
        np.repeat(DOMAINS, [len(part) for part in paths]),
    )


def load(root):
    layout = "pacs/train/DOMAIN/CLASS/* and pacs/test/DOMAIN/CLASS/*"
    require(root, "pacs/train", layout)
    found = [load_class_folders(root, "pacs", below=domain) for domain in DOMAINS]
    train, y_train, domain_train = _joined([(each.train, each.y_train) for each in found])
    test, y_test, domain_test = _joined([(each.test, each.y_test) for each in found])
    dataset = Dataset(train, y_train, test, y_test, domain_train, domain_test, DOMAINS)
    check_counts("pacs", dataset, n_classes=7, n_train=2_756, n_test=834, of="the one described")
    return dataset

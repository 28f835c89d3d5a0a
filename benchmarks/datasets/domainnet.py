"""S-DomainNet: 345 classes, domain-incremental over 6 styles, 10 training images per class and style.

Folder: domainnet/DOMAIN/CLASS/* with the list files domainnet/DOMAIN_train.txt and
domainnet/DOMAIN_test.txt, whose lines are "DOMAIN/CLASS/FILE label", for the domains real,
quickdraw, painting, sketch, infograph and clipart. Training takes the first 10 images of each
class and domain, in the order of the list; the test set is whole.
"""

import re
from collections import Counter

import numpy as np

from . import Dataset
from ._folders import require
from ._order import check_counts

DOMAINS = ["real", "quickdraw", "painting", "sketch", "infograph", "clipart"]
LAYOUT = "domainnet/DOMAIN/CLASS/*, domainnet/DOMAIN_train.txt and domainnet/DOMAIN_test.txt"


def read_lists(root, part, n_per_class=None):
    """Paths, classes and domains, from the lists of train or test."""
    paths, classes, domains = [], [], []
    for domain in DOMAINS:
        folder = require(root, f"domainnet/{domain}", LAYOUT).parent
        file = require(root, f"domainnet/{domain}_{part}.txt", LAYOUT)
        pattern = re.compile(rf"({domain}/.+)\s+(\d+)\s*")
        count = Counter()
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            entry = pattern.fullmatch(line)
            if not entry:
                raise ValueError(
                    f'{file}, line {number}: "{domain}/CLASS/FILE label" expected, got {line!r}.'
                )
            label = int(entry[2])
            count[label] += 1
            if n_per_class is None or count[label] <= n_per_class:
                paths.append(f"{folder}/{entry[1]}")
                classes.append(label)
                domains.append(domain)
    return paths, np.array(classes), np.array(domains)


def load(root):
    train, y_train, domain_train = read_lists(root, "train", n_per_class=10)
    test, y_test, domain_test = read_lists(root, "test")
    dataset = Dataset(train, y_train, test, y_test, domain_train, domain_test, DOMAINS)
    check_counts("domainnet", dataset, n_classes=345, n_test=176_743)
    return dataset

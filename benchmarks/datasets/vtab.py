"""VTAB: 50 classes from five data sets; 5 tasks of 10 classes, one source each.

Folder: vtab/{train,test}/CLASS/*, circulating as vtab.zip, md5 a9c37bde6105a2516c900b0c33a437c1.
The classes are the folder names sorted as text, and arrive in this order, so that each task is
one source. The makers of the data set and RanPAC do the same; the code of LayUP's authors
shuffles the classes by the seed and cuts them into 10 tasks of 5 (class_order=None, n_tasks=10).
"""

import numpy as np

from ._folders import load_class_folders
from ._order import check_counts


def load(root):
    dataset = load_class_folders(root, "vtab", n_tasks=5)
    dataset.class_order = np.unique(dataset.y_train)
    check_counts(
        "vtab",
        dataset,
        n_classes=50,
        n_train=1_796,
        n_test=8_619,
        test_per_task=[1000, 400, 985, 5400, 834],
    )
    return dataset

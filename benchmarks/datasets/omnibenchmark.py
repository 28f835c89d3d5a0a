"""OmniBenchmark: 300 classes from many visual realms; 10 tasks of 30 classes.

Folder: omnibenchmark/{train,test}/CLASS/*. The selection that continual learners use circulates
as omnibenchmark.zip, md5 f1c30808a707f9197c6c811ea52e5cbb.
"""

from ._folders import load_class_folders
from ._order import check_counts


def load(root):
    dataset = load_class_folders(root, "omnibenchmark", n_tasks=10)
    check_counts(
        "omnibenchmark",
        dataset,
        n_classes=300,
        n_train=89_697,
        n_test=5_985,
        test_per_task=[600, 599, 599, 597, 599, 598, 597, 599, 599, 598],
    )
    return dataset

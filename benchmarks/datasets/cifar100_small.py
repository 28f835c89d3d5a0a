"""CIFAR-100, 80 training and 20 test pictures a class of 100 classes; 10 tasks of 10 classes.

Folder: cifar100_small/{train,test}/CLASS/*. Of github.com/cyizhuo/CIFAR-100-dataset, in the order of
random.Random(0), without the pictures that occur twice.
"""

from ._folders import load_class_folders
from ._order import check_counts


def load(root):
    dataset = load_class_folders(root, "cifar100_small", n_tasks=10)
    check_counts(
        "cifar100_small",
        dataset,
        n_classes=100,
        n_train=8_000,
        n_test=2_000,
        of="the one described",
    )
    return dataset

"""Stanford Cars: 196 models of cars; a task of 16 and nine of 20 classes.

Folder: cars/{train,test}/CLASS/*, by the data set's own split.
"""

from ._folders import load_class_folders
from ._order import check_counts


def load(root):
    dataset = load_class_folders(root, "cars", n_tasks=10, first_task_size=16)
    check_counts("cars", dataset, n_classes=196, n_train=8_144, n_test=8_041)
    return dataset

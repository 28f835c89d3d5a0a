"""ImageNet-A: 200 ImageNet classes, photographs that mislead networks; 10 tasks of 20 classes.

Folder: imagenet-a/{train,test}/CLASS/*, the classes being WordNet ids. The split that continual
learners use circulates as ina.zip, md5 7f4aaf0b1532b7a0bd670822c152d3c5.
"""

from ._folders import load_class_folders
from ._order import check_counts


def load(root):
    dataset = load_class_folders(root, "imagenet-a", n_tasks=10)
    check_counts(
        "imagenet_a",
        dataset,
        n_classes=200,
        n_train=5_981,
        n_test=1_519,
        test_per_task=[175, 185, 116, 222, 143, 134, 146, 127, 147, 124],
    )
    return dataset

"""ImageNet-R: 200 ImageNet classes as art, cartoons, toys, ...; 10 tasks of 20 classes.

Folder: imagenetr/{train,test}/CLASS/*, the classes being WordNet ids. The split that continual
learners use circulates as imagenet-r.zip, md5 730aa3fb9c7d2ec0b6381c6b23040681.
"""

from ._folders import load_class_folders
from ._order import check_counts


def load(root):
    dataset = load_class_folders(root, "imagenetr", n_tasks=10)
    check_counts(
        "imagenet_r",
        dataset,
        n_classes=200,
        n_train=24_000,
        n_test=6_000,
        test_per_task=[689, 632, 606, 571, 487, 660, 569, 729, 478, 579],
    )
    return dataset

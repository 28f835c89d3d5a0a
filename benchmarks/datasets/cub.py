"""CUB-200: 200 species of birds; 10 tasks of 20 classes.

Folder: cub/{train,test}/CLASS/*, the classes being "001.Black_footed_Albatross", ... The split
that continual learners use circulates as cub.zip, md5 85e342a2d5f941e740193602057df7a5; it is
not the one of the birds' authors.
"""

from ._folders import load_class_folders
from ._order import check_counts


def load(root):
    dataset = load_class_folders(root, "cub", n_tasks=10)
    check_counts(
        "cub",
        dataset,
        n_classes=200,
        n_train=9_430,
        n_test=2_358,
        test_per_task=[247, 207, 218, 247, 269, 228, 225, 250, 237, 230],
    )
    return dataset

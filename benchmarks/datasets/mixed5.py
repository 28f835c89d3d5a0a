"""Mixed5: textures, flowers, groceries, clothes, traffic signs; 5 tasks of 10 classes, one source each.

Folder: mixed5/{train,test}/CLASS/*, names of classes beginning with 1-texture-, 2-flower-, 3-grocery-,
4-clothing-, 5-sign-; the classes arrive in this order. Drawn from DTD, Oxford Flowers, the Grocery
Store Dataset, the small clothing dataset and GTSRB (its split by tracks of one sign). Laid out like
VTAB's stream, but not VTAB.
"""

import numpy as np

from ._folders import load_class_folders
from ._order import check_counts


def load(root):
    dataset = load_class_folders(root, "mixed5", n_tasks=5)
    dataset.class_order = np.unique(dataset.y_train)
    check_counts(
        "mixed5", dataset, n_classes=50, n_train=2_500, n_test=1_000, of="the one described"
    )
    return dataset

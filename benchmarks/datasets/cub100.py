"""CUB-100: 100 species of CUB-200-2011, cropped to the bird; 10 tasks of 10 classes.

Folder: cub100/{train,test}/CLASS/*. From github.com/serizba/vision (a university exercise), folder
ex03/task2/bird_dataset, by its train_test_split.txt; of the test pictures the first 20 a class in
the order of random.Random(0). Which species were kept was the exercise's choice: not comparable with
numbers on CUB-200. Birds are among the classes of ImageNet.
"""

from ._folders import load_class_folders
from ._order import check_counts


def load(root):
    dataset = load_class_folders(root, "cub100", n_tasks=10)
    check_counts(
        "cub100", dataset, n_classes=100, n_train=2_999, n_test=1_994, of="the one described"
    )
    return dataset

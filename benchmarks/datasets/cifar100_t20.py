"""CIFAR-100 in 20 tasks of 5 classes; 100 classes, folder and pictures as ``cifar100``."""

from . import cifar100


def load(root):
    dataset = cifar100.load(root)
    dataset.n_tasks = 20
    return dataset

"""Emoji in two art styles: the same 20 classes, first drawn by one vendor, then by the other.

Domain-incremental; the samples are those of ``emoji``.
"""

from . import Dataset
from .emoji import _take, drawings


def load(root):
    images, y, train, vendor = drawings(root)
    return Dataset(
        _take(images, train),
        y[train],
        _take(images, ~train),
        y[~train],
        domain_train=vendor[train],
        domain_test=vendor[~train],
    )

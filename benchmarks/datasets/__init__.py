"""Data sets, one file each: a module with ``load(root)`` that gives a Dataset."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np


@dataclass(eq=False)
class Dataset:
    """Samples with labels, and how they arrive.

    Attributes
    ----------
    train, test : list or ndarray
        Paths, images or texts.
    y_train, y_test : ndarray of int
        Classes as 0, 1, ... (sorted names).
    domain_train, domain_test : ndarray of str, default=None
        Domain-incremental where given: one task a domain.
    domains : list of str, default=None
        The order of the domains.
    n_tasks : int, default=5
        Of a class-incremental stream.
    first_task_size : int, default=None
        Number of classes of the first task, where it differs from the others.
    class_order : ndarray of int, default=None
        Fixed order of the classes; None: drawn by the seed as the paper does.
    """

    train: object
    y_train: np.ndarray
    test: object
    y_test: np.ndarray
    domain_train: np.ndarray = None
    domain_test: np.ndarray = None
    domains: list = None
    n_tasks: int = 5
    first_task_size: int = None
    class_order: np.ndarray = None


def names():
    """All data sets."""
    return sorted(
        path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")
    )


def load(name, root):
    """Data set by name, from below the folder ``root``."""
    return import_module(f".{name}", __name__).load(Path(root))

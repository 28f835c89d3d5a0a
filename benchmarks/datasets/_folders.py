"""Images in folders, one folder a class."""

import os
from pathlib import Path

import numpy as np

from . import Dataset

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


def require(root, path, layout):
    """``root / path``; where nothing is there, one error that says what belongs there."""
    path = Path(root, path)
    if not path.exists():
        raise FileNotFoundError(f"There is no {path}: put the data into {root} as {layout}.")
    return path


def subfolders(folder):
    """Names of the folders in a folder, sorted; hidden ones left out."""
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def images(folder):
    """Paths of the images in a folder, sorted by name; hidden and other files left out."""
    with os.scandir(folder) as entries:
        found = sorted(
            entry.name
            for entry in entries
            if os.path.splitext(entry.name)[1].lower() in SUFFIXES
            and not entry.name.startswith(".")
            and entry.is_file()
        )
    if not found:
        raise FileNotFoundError(f"There is no image in {folder}: fill or remove the folder.")
    return [os.path.join(folder, name) for name in found]


def load_class_folders(root, folder, below="", **attributes):
    """Data set in ``folder/{train,test}/below/CLASS/*``; classes are the sorted folder names.

    Parameters
    ----------
    root : path
    folder : str
        Name below ``root``.
    below : str, default=""
        Folder between the parts and the classes.
    **attributes
        Of the Dataset: how it arrives.

    Returns
    -------
    dataset : Dataset

    Raises
    ------
    FileNotFoundError
        When a folder is missing or a class is empty.
    ValueError
        When the training and the test set have different classes.
    """
    names = [os.path.join(folder, part, below) for part in ("train", "test")]
    layout = " and ".join(os.path.join(name, "CLASS/*") for name in names)
    train, test = (require(root, name, layout) for name in names)
    classes = subfolders(train)
    if not classes:
        raise FileNotFoundError(f"{train} is empty: put the data into {root} as {layout}.")
    if unpaired := sorted(set(classes) ^ set(subfolders(test))):
        raise ValueError(
            f"Class folder {unpaired[0]!r} is in only one of {train} and {test}: complete the data."
        )
    return Dataset(*_with_labels(train, classes), *_with_labels(test, classes), **attributes)


def _with_labels(folder, classes):
    paths = [images(folder / name) for name in classes]
    labels = np.repeat(np.arange(len(classes)), [len(part) for part in paths])
    return [path for part in paths for path in part], labels

"""The pictures of a first task, decoded once."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ._augmentation import whole_side
from ._decoding import decoding_threads
from ._images import read_image


@dataclass(eq=False)
class TrainingSet:
    """A first task: whole pictures to be augmented, and held-out ones as the network takes them.

    Attributes
    ----------
    whole : ndarray of uint8 of shape (n_train, 3, whole, whole)
    ratios : ndarray of shape (n_train,)
        Width over height of the pictures before they were squeezed into squares.
    y : ndarray of int of shape (n_train,)
    held_out : ndarray of uint8 of shape (n_held_out, 3, side, side)
    y_held_out : ndarray of int of shape (n_held_out,)
    """

    whole: np.ndarray
    ratios: np.ndarray
    y: np.ndarray
    held_out: np.ndarray
    y_held_out: np.ndarray

    @classmethod
    def read(cls, images, y, rows, preprocess):
        """Decode all pictures once, in threads.

        Parameters
        ----------
        images : list
        y : ndarray of int of shape (n_samples,)
        rows : tuple of ndarray (train, held_out)
        preprocess : torchvision.transforms.Compose
            Resizing, crop, then what makes the picture a tensor of bytes.
        """
        side, resample = crop_side(preprocess), Image.Resampling.BICUBIC
        whole = whole_side(side)

        def squeezed(i):
            picture = read_image(images[i], i)
            pixels = np.asarray(picture.resize((whole, whole), resample))
            return np.moveaxis(pixels, -1, 0), picture.width / picture.height

        def as_taken(i):
            return np.asarray(preprocess(read_image(images[i], i)))

        train, held_out = (part.tolist() for part in rows)
        with decoding_threads() as threads:
            pictures, ratios = zip(*threads.map(squeezed, train))
            kept = [*threads.map(as_taken, held_out)]
        kept = np.stack(kept) if kept else np.empty((0, 3, side, side), np.uint8)
        return cls(np.stack(pictures), np.array(ratios), y[train], kept, y[held_out])


def crop_side(preprocess):
    """Side of a preprocessing's square crop."""
    return max(np.atleast_1d(preprocess.transforms[1].size))

"""Whatever a user calls an image becomes an RGB picture."""

import os
import warnings

import numpy as np
from PIL import Image, ImageOps

from .._sample_error import SampleError
from ._locks import Lock
from ._tables import one_column

CHANNELS = (1, 3, 4)
_loading = [Lock() for _ in range(16)]


class ImageReadError(SampleError):
    """An image that cannot be read."""


def as_image_list(X):
    """Split a user's collection into single images, all of one kind.

    Parameters
    ----------
    X : list, ndarray, tensor, pandas Series or one-column DataFrame
        Paths, PIL images, or arrays of shape (height, width), (height, width, channels)
        or (channels, height, width) with 1, 3 or 4 channels. As one array: a batch of
        such images, or one image with a colour axis.

    Returns
    -------
    images : list

    Raises
    ------
    ValueError
        When X is no collection of images, is empty, or mixes kinds.

    Notes
    -----
    An array of shape (3, height, width) is one channels-first image; three grey images
    have to say so by a channel axis, ``X[..., None]``. A warning reminds of it.
    """
    if isinstance(X, (str, bytes, os.PathLike, Image.Image)):
        raise ValueError(f"X must be a collection of images, got one {type(X).__name__}: use [X].")
    if hasattr(X, "iloc"):
        X = one_column(X, "images")
    elif not isinstance(X, (list, tuple)):
        array = as_array(X)
        if array.ndim == 0:
            raise ValueError(
                f"X must be a collection of images, got {type(X).__name__}: use a list or an array."
            )
        X = _split(array[:, 0] if _is_object_column(array) else array)
    if len(X) == 0:
        raise ValueError("X holds 0 image(s): at least one is needed.")
    kinds = [_kind(image, position) for position, image in enumerate(X)]
    for position, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise ImageReadError(
                position, f"is {kind}, but X[0] is {kinds[0]}; use one kind in a call."
            )
    return list(X)


def read_image(image, position=0):
    """Turn one image into RGB.

    Parameters
    ----------
    image : path, PIL image, ndarray or tensor
        Arrays hold bytes (0 to 255), 16-bit unsigned integers (0 to 65535), booleans, or
        floats in [0, 1].
    position : int, default=0
        Where in X it stands, for the error.

    Returns
    -------
    rgb : PIL.Image.Image
        Mode RGB, turned as its EXIF orientation says, transparent parts over white.

    Raises
    ------
    ImageReadError
        Names position, path and cause.
    """
    if isinstance(image, (str, os.PathLike)):
        path = os.fspath(image)
        try:
            with Image.open(path) as opened:
                n_pixels = opened.width * opened.height
                if Image.MAX_IMAGE_PIXELS and n_pixels > Image.MAX_IMAGE_PIXELS:
                    raise ValueError(f"{n_pixels} pixels, more than Image.MAX_IMAGE_PIXELS")
                return _to_rgb(ImageOps.exif_transpose(opened))
        except Exception as error:  # Pillow's plugins raise many kinds
            raise ImageReadError(position, f"cannot read the image {path!r}: {error}") from error
    try:
        if isinstance(image, Image.Image):
            with _loading[id(image) // 64 % len(_loading)]:  # it may stand in a call twice
                image.load()
                image.getexif()
            return _to_rgb(ImageOps.exif_transpose(image))
        return _to_rgb(_array_to_picture(as_array(image)))
    except Exception as error:
        raise ImageReadError(position, f"cannot read the image: {error}") from error


def is_picture_of_bytes(image):
    """Whether an image is an array (height, width, 3) of bytes, with nothing to be read."""
    if type(image) is not np.ndarray or image.dtype != np.uint8 or image.ndim != 3:
        return False
    height, width, channels = image.shape
    return channels == 3 and 0 < max(height, width) <= 100 * min(height, width)


def as_array(X):
    """NumPy view of an array or tensor, also from an accelerator."""
    if hasattr(X, "detach"):
        X = X.detach().cpu()
        X = X.float() if X.is_floating_point() else X  # NumPy has no bfloat16
    return np.asarray(X)


def _is_object_column(array):
    return array.dtype.kind in "OUST" and array.ndim == 2 and array.shape[1] == 1


def _split(array):
    if array.dtype.kind in "OUST":
        return list(array) if array.dtype != object or array.ndim == 1 else _unpack(array)
    if array.ndim == 4:
        return list(array)
    if array.ndim == 3:
        if array.shape[-1] in CHANNELS:
            return [array]
        if array.shape[0] == 3:
            warnings.warn(
                f"X of shape {array.shape} is read as one channels-first image; three grey "
                "images need a channel axis, X[..., None]."
            )
            return [array]
        return list(array)
    raise ValueError(
        f"X of shape {array.shape} and type {array.dtype} is no collection of images; expected "
        "paths, PIL images, or arrays (images, height, width[, channels])."
    )


def _unpack(array):
    """Images of one size that NumPy stacked into an array of objects."""
    return [np.array(image.tolist()) for image in array]


def _kind(image, position):
    if isinstance(image, (str, os.PathLike)):
        return "a path"
    if isinstance(image, Image.Image):
        return "a PIL image"
    if hasattr(image, "__array__") or hasattr(image, "detach"):
        return "an array"
    raise ImageReadError(
        position, f"is of type {type(image).__name__}; use paths, PIL images or arrays."
    )


def _array_to_picture(array):
    if array.ndim == 3 and array.shape[-1] not in CHANNELS:
        array = np.moveaxis(array, 0, -1)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in CHANNELS):
        raise ValueError(
            f"shape {array.shape}; expected (height, width), or a first or last axis of 1, 3 or "
            "4 channels"
        )
    if array.size == 0:
        raise ValueError(f"shape {array.shape} has no pixels")
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    return Image.fromarray(np.ascontiguousarray(_to_bytes(array)))


def _to_bytes(array):
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:  # of either byte order
        return (array // 257).astype(np.uint8)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"pixels of type {array.dtype}; expected numbers")
    low, high, top = array.min(), array.max(), 255 if array.dtype.kind in "iu" else 1
    if not (0 <= low and high <= top):  # also catches NaN
        raise ValueError(
            f"{array.dtype} pixels between {low} and {high}; expected 0 to {top}: rescale them"
        )
    return np.rint(array * (255.0 / top)).astype(np.uint8)


def _to_rgb(picture):
    if not all(picture.size):
        raise ValueError(f"{picture.size} has no pixels")
    if max(picture.size) > 100 * min(picture.size):
        raise ValueError(f"{picture.size} pixels: sides too different to be resized and cropped")
    if picture.mode.startswith("I") or picture.mode == "F":
        array = np.asarray(picture)
        integers = array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= 65535
        grey = np.array(_to_bytes(array.astype(np.uint16) if integers else array))
        if "transparency" in picture.info:  # one grey
            grey[array == picture.info["transparency"]] = 255
        picture = Image.fromarray(grey)
    if picture.mode == "La":
        picture = picture.convert("LA")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")

"""Whatever a user calls an image becomes an RGB picture."""

import io
import os
import stat
from functools import cache
from hashlib import blake2b
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from .._sample_error import SampleError
from .._samples import as_array, as_collection, as_items
from .._typing import Samples
from ._locks import Lock
from ._pictures import CHANNELS, array_to_picture, to_rgb

#: Formats that are pictures of pixels; others of Pillow run programs (EPS) or ask for plugins.
FORMATS = ["AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "TGA"]
FORMATS += ["TIFF", "WEBP"]
_BYTES = (bytes, bytearray, memoryview)
_loading = [Lock() for _ in range(16)]  # of PIL images and files that stand in a call twice


class ImageReadError(SampleError):
    """An image that cannot be read."""


def as_image_list(X: Samples) -> list[Any]:
    """Split a user's collection into single images, all of one kind.

    Parameters
    ----------
    X : sequence, ndarray, tensor, pandas Series or one-column DataFrame
        Paths, files or their bytes, PIL images, or arrays of shape (height, width), (height,
        width, channels) or (channels, height, width) with 1, 3 or 4 channels; pairs (image,
        label) of a data set. As one array: a batch of such images.

    Returns
    -------
    images : list

    Raises
    ------
    ValueError
        When X is not a collection of images, is empty, mixes kinds, or could be one image.
    """
    X = as_collection(X, "images")
    if hasattr(X, "detach") or (isinstance(X, np.ndarray) and X.dtype.kind not in "OUST"):
        X = _check_batch(X)
    images = as_items(X, "images")
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim > 2:
        first = X.flat[0]  # pictures of one size, as NumPy stacked them
        dtype = getattr(first, "dtype", None)
        images = [np.array(image.tolist(), dtype) for image in images]
    kinds = [_kind(image, position) for position, image in enumerate(images)]
    for position, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise ImageReadError(
                position, f"is {kind}, but X[0] is {kinds[0]}; use one kind in a call."
            )
    return images


def _check_batch(X):
    """An array that is a batch of images and could not be one image."""
    X = as_array(X)
    if X.ndim == 3 and (X.shape[-1] in CHANNELS or X.shape[0] == 3):
        raise ValueError(
            f"X of shape {X.shape} could be one image or {X.shape[0]} grey ones: one image is "
            "[image], grey images have a channel axis, X[..., None]."
        )
    if X.ndim not in (3, 4):
        raise ValueError(
            f"X of shape {X.shape} and type {X.dtype} is not a collection of images; expected "
            "paths, files, PIL images, or arrays (images, height, width[, channels])."
        )
    return X


def _kind(image, position):
    if isinstance(image, (str, os.PathLike)):
        return "a path"
    if isinstance(image, Image.Image):
        return "a PIL image"
    if isinstance(image, _BYTES) or hasattr(image, "read"):
        return "a file"
    if hasattr(image, "__array__") or hasattr(image, "detach"):
        return "an array"
    raise ImageReadError(
        position, f"is of type {type(image).__name__}; use paths, files, PIL images or arrays."
    )


def read_image(image, position=0):
    """Turn one image into RGB.

    Parameters
    ----------
    image : path, file, bytes of a file, PIL image, ndarray or tensor
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
    name = f" {os.fspath(image)!r}" if isinstance(image, (str, os.PathLike)) else ""
    try:
        if isinstance(image, Image.Image):
            with _lock_of(image):
                _load(image)
                image.getexif()
            return to_rgb(image)
        if name or isinstance(image, _BYTES) or hasattr(image, "read"):
            with _opened(image) as opened:
                _check_number_of_pixels(opened)
                return to_rgb(opened)
        return to_rgb(array_to_picture(as_array(image)))
    except Exception as error:  # Pillow's plugins raise many kinds
        cause = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            cause = "it is not a picture of a known format"
        raise ImageReadError(position, f"cannot read the image{name}: {cause}") from error


def image_key(space, image, position):
    """Key of an image: the network it goes through, and its content.

    Parameters
    ----------
    space : str
        Names the network, the preprocessing and the pooling.
    image : path, file, bytes of a file, PIL image, ndarray or tensor
    position : int
        Where in X it stands, for the error.

    Returns
    -------
    key : bytes

    Raises
    ------
    ImageReadError
        When a file or a PIL image cannot be read.
    """
    digest = blake2b(space.encode(), digest_size=16)
    if isinstance(image, (str, os.PathLike, *_BYTES)) or hasattr(image, "read"):
        try:
            digest.update(b"file" + _content(image))
        except (OSError, ValueError):
            read_image(image, position)  # says what is wrong
            raise
    else:
        if isinstance(image, Image.Image):
            image = read_image(image, position)
        array = as_array(image)
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.digest()


def image_stamp(image):
    """What changes with the file of an image; None of what is not a path."""
    if not isinstance(image, (str, os.PathLike)):
        return None
    try:
        state = os.stat(image)
    except (OSError, ValueError):  # reading it says what is wrong
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino


def is_picture_of_bytes(image):
    """Whether an image is an array (height, width, 3) of bytes, with nothing to be read."""
    if type(image) is not np.ndarray or image.dtype != np.uint8 or image.ndim != 3:
        return False
    height, width, channels = image.shape
    return channels == 3 and 0 < max(height, width) <= 100 * min(height, width)


def _opened(image):
    """Pillow's view of a path, an open file, which is left as it was, or the bytes of one."""
    if isinstance(image, (str, os.PathLike)):
        _check_path(image)
        return Image.open(image, formats=_known_formats())
    return Image.open(io.BytesIO(_content(image)), formats=_known_formats())


@cache
def _known_formats():
    """Those that this Pillow was built with."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _content(image):
    """The bytes of a path, an open file or a file's bytes."""
    if isinstance(image, _BYTES):
        return bytes(image)
    if hasattr(image, "read"):
        with _lock_of(image):
            if isinstance(image, io.TextIOBase):
                raise ValueError("the file was opened as text: use mode 'rb'")
            place = image.tell()
            image.seek(0)
            content = image.read()
            image.seek(place)
        return content
    _check_path(image)
    with open(image, "rb") as file:
        return file.read()


def _check_path(path):
    """Only regular files: a pipe would be waited for, a device read for ever."""
    text = os.fspath(path)
    if isinstance(text, str) and text.startswith(("http://", "https://", "ftp://", "s3://")):
        raise ValueError("it is a URL: download it, and give the file")
    if isinstance(text, str) and text.startswith("data:"):
        raise ValueError("it is text in base64: decode it, and give the bytes")
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("it is not a regular file")


def _check_number_of_pixels(picture):
    n_pixels = picture.width * picture.height
    if Image.MAX_IMAGE_PIXELS and n_pixels > Image.MAX_IMAGE_PIXELS:
        raise ValueError(f"{n_pixels} pixels, more than Image.MAX_IMAGE_PIXELS")


def _lock_of(image):
    return _loading[id(image) // 64 % len(_loading)]


def _load(picture):
    try:
        picture.load()
    except Exception as error:
        if getattr(picture, "fp", True) is None or "closed" in str(error):
            raise ValueError("it is closed: call its load() before that") from error
        raise

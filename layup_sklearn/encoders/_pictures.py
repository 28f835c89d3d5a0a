"""Pictures of any depth, palette, transparency and photometric become 8-bit RGB."""

import numpy as np
from PIL import Image, ImageOps

CHANNELS = (1, 3, 4)


def array_to_picture(array):
    shape = array.shape
    if array.ndim == 3 and array.shape[-1] not in CHANNELS:
        array = np.moveaxis(array, 0, -1)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in CHANNELS):
        raise ValueError(
            f"shape {shape}; expected (height, width), or a first or last axis of 1, 3 or "
            "4 channels"
        )
    if array.size == 0:
        raise ValueError(f"shape {shape} has no pixels")
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


def to_rgb(picture):
    """The picture in 8 bits, of whatever depth, palette, transparency and photometric."""
    if not all(picture.size):
        raise ValueError(f"{picture.size} has no pixels")
    if max(picture.size) > 100 * min(picture.size):
        raise ValueError(f"{picture.size} pixels: sides too different to be resized and cropped")
    transparent = _transparent_colour(picture)
    white_is_zero = getattr(picture, "tag_v2", {}).get(_PHOTOMETRIC) == 0
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _grey_of_many_bits(picture, transparent, white_is_zero)
    elif transparent is not None:
        picture.info["transparency"] = transparent
    if picture.mode == "La":
        picture = picture.convert("LA")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa") or picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


_PHOTOMETRIC = 262  # a tag of TIFF

# By how the pixels stand in a file that Pillow brings to 8 bits and whose transparent colour it
# leaves as it stood there.
_TO_8_BITS = {
    "L;2": lambda value: value * 85,
    "L;4": lambda value: value * 17,
    "RGB;16B": lambda values: tuple(value >> 8 for value in values),
}


def _transparent_colour(picture):
    """The colour that stands for transparency, in the depth that the pixels will have."""
    found = picture.info.get("transparency")
    if picture.mode.startswith("I"):
        return found
    tile = getattr(picture, "tile", None)
    rawmode = tile[0][3] if tile else None
    rawmode = rawmode if isinstance(rawmode, str) else None
    if found is None or rawmode not in _TO_8_BITS:
        return None
    return _TO_8_BITS[rawmode](found)


def _grey_of_many_bits(picture, transparent, white_is_zero):
    """Of 16 bits, 0 to 65535; of 32, 0 to 255 where no number is larger; of floats, 0 to 1."""
    array = np.asarray(picture)
    is_16_bit = picture.mode.startswith("I;16")
    if array.dtype.kind in "iu" and array.min() >= 0 and (is_16_bit or 255 < array.max() <= 65535):
        values = array.astype(np.uint16)
        grey = np.array(_to_bytes(65535 - values if white_is_zero else values))
    else:
        grey = np.array(_to_bytes(array))
    if transparent is not None:
        grey[array == transparent] = 255
    return Image.fromarray(grey)

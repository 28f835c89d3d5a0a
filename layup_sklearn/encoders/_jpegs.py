"""JPEG files that the device decodes."""

import io
from functools import lru_cache

from PIL import Image

_ORIENTATION = 0x0112  # EXIF's tag


def is_plain_jpeg(content):
    """Whether a file is a JPEG whose pixels need nothing but decoding.

    That is: whole, 8 bits, grey or YCbCr, upright, of a size that Pillow would read.

    Parameters
    ----------
    content : bytes
    """
    if content[:2] != b"\xff\xd8" or content[-2:] != b"\xff\xd9":
        return False
    place = 2
    while place + 4 < len(content) and content[place] == 0xFF:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        body = content[place + 4 : place + 2 + length]
        if marker == 0xE1 and body.startswith(b"Exif") and not _is_upright(body):
            return False
        if marker == 0xEE and body.startswith(b"Adobe") and body[11:12] != b"\x01":
            return False
        if marker in (0xC0, 0xC1, 0xC2):
            height, width = (int.from_bytes(body[i : i + 2], "big") for i in (1, 3))
            return body[0] == 8 and body[5] in (1, 3) and _is_of_usual_size(height, width)
        place += 2 + length
    return False


def _is_upright(exif):
    tags = Image.Exif()
    tags.load(exif)
    return tags.get(_ORIENTATION, 1) == 1


def _is_of_usual_size(height, width):
    limit = Image.MAX_IMAGE_PIXELS
    small, large = sorted((height, width))
    return 0 < large <= 100 * small and (limit is None or height * width <= limit)


@lru_cache(maxsize=None)
def jpeg_decoder(device):
    """A function from contents of JPEG files to tensors on the device; None where there is none."""
    import torch

    try:
        from torchvision.io import ImageReadMode, decode_jpeg

        def decode(contents):
            contents = [torch.frombuffer(bytearray(c), dtype=torch.uint8) for c in contents]
            return decode_jpeg(contents, mode=ImageReadMode.RGB, device=device)

        picture = io.BytesIO()
        Image.new("RGB", (16, 16)).save(picture, "JPEG")
        decode([picture.getvalue()])
        return decode
    except (AttributeError, ImportError, RuntimeError, TypeError):  # not built into torchvision
        return None

"""Pictures decoded in threads, then resized and cropped on the network's device in batches."""

import io
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
from PIL import Image

from ._image_reading import as_array, is_picture_of_bytes, read_image

_MOST_THREADS = 16
_ORIENTATION = 0x0112  # EXIF's tag


def device_steps(preprocess):
    """The resizing and crop of a preprocessing, as functions of batches of tensors.

    Parameters
    ----------
    preprocess : torchvision.transforms.Compose
        Its last step makes a picture an array or a tensor.

    Returns
    -------
    steps : list of callable, or None
        None where there is more than resizing and a crop.
    """
    from torchvision import transforms

    *steps, _ = preprocess.transforms
    known = transforms.Resize, transforms.CenterCrop
    return steps if all(type(step) in known for step in steps) else None


def device_batches(images, positions, steps, batch_size, device):
    """Yield batches of pixels on a device.

    Parameters
    ----------
    images : list
    positions : list of int
        Those of the images to be read.
    steps : list of callable
        Of `device_steps`.
    batch_size : int
    device : torch.device

    Yields
    ------
    positions : list of int
        Of one batch, in the order given.
    pixels : tensor of uint8 of shape (n_positions, 3, height, width)
        Complete on the device.

    Raises
    ------
    ImageReadError
        Of the first image of a batch that cannot be read.
    """
    decode = _jpeg_decoder(device)
    stream = _side_stream(device)
    with ThreadPoolExecutor(min(joblib.cpu_count(), _MOST_THREADS)) as threads:
        ahead = deque()
        try:
            for start in range(0, len(positions), batch_size):
                batch = list(positions[start : start + batch_size])
                ahead.append((batch, _read_all(threads, images, batch, decode is not None)))
                if len(ahead) > 2:
                    yield _on_device(*ahead.popleft(), images, steps, device, decode, stream)
            while ahead:
                yield _on_device(*ahead.popleft(), images, steps, device, decode, stream)
        finally:
            threads.shutdown(cancel_futures=True)


def _read_all(threads, images, positions, jpegs):
    """What `_read` gives of every image, or a future of it; arrays of bytes are there already."""
    return [
        images[i] if is_picture_of_bytes(images[i]) else threads.submit(_read, images[i], i, jpegs)
        for i in positions
    ]


def _read(image, position, jpegs):
    """Pixels of shape (height, width, 3), or the bytes of a file that the device can decode."""
    if jpegs and isinstance(image, (str, os.PathLike)) and os.path.isfile(image):
        with open(image, "rb") as file:
            content = file.read()
        if is_plain_jpeg(content):
            return content
    return np.asarray(read_image(image, position))


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


def _on_device(positions, sources, images, steps, device, decode, stream):
    import torch

    sources = [s.result() if hasattr(s, "result") else as_array(s) for s in sources]
    with stream() as current:
        pixels = _decoded(sources, positions, images, decode)
        shapes = [tuple(each.shape) for each in pixels]
        resized = [None] * len(pixels)
        for shape in dict.fromkeys(shapes):
            places = [i for i, other in enumerate(shapes) if other == shape]
            batch = _uploaded([pixels[i] for i in places], device)
            for step in steps:
                batch = step(batch)
            for i, picture in zip(places, batch):
                resized[i] = picture
        stacked = batch if len(places) == len(pixels) else torch.stack(resized)
        if current is not None:
            current.synchronize()
    return positions, stacked


def _decoded(sources, positions, images, decode):
    """Arrays (height, width, 3) as they are; of files, tensors (3, height, width)."""
    places = [i for i, source in enumerate(sources) if isinstance(source, bytes)]
    if places:
        try:
            decoded = decode([sources[i] for i in places])
        except RuntimeError:  # Pillow names the one that is broken, or reads it all the same
            decoded = [np.asarray(read_image(images[positions[i]], positions[i])) for i in places]
        for i, pixels in zip(places, decoded):
            sources[i] = pixels
    return sources


def _uploaded(pictures, device):
    """Pictures of one shape as one tensor (n, 3, height, width) of bytes on the device."""
    import torch

    if isinstance(pictures[0], torch.Tensor):
        return torch.stack(pictures)
    pinned = device.type == "cuda"
    buffer = torch.empty((len(pictures), *pictures[0].shape), dtype=torch.uint8, pin_memory=pinned)
    np.stack(pictures, out=buffer.numpy())
    return buffer.to(device, non_blocking=True).permute(0, 3, 1, 2).contiguous()


def _jpeg_decoder(device):
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


def _side_stream(device):
    """A context of a stream of its own; of None where the device has no streams."""
    from contextlib import contextmanager

    import torch

    stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    @contextmanager
    def context():
        with torch.cuda.stream(stream):  # None: no change
            yield stream

    return context

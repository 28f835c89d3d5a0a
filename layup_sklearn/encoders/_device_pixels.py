"""Pictures decoded in threads, then resized and cropped on the network's device in batches."""

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ._decoding import decoding_threads
from ._images import is_picture_of_bytes, read_image
from ._jpegs import is_plain_jpeg, jpeg_decoder
from ._torch import inference


class Resizing:
    """Resizing and centre crop of a preprocessing, as two small matrix products.

    Parameters
    ----------
    size : int or (int, int)
        Of the shorter side, or height and width.
    crop : (int, int)
        Height and width.
    mode : {"bilinear", "bicubic"}

    Notes
    -----
    Antialiased interpolation is linear and separable, so that a picture P becomes R P C' with
    matrices R and C that are what interpolation makes of the identity. They are made once for
    each size of pictures, hold only the rows of the crop, and run on the units that networks
    run on: a fifth of the time of interpolating pictures.
    """

    def __init__(self, size, crop, mode):
        self.size, self.crop, self.mode = size, crop, mode
        self._matrices = {}  # (length, resized length, cropped length, device) -> matrix

    @classmethod
    def of(cls, preprocess):
        """What a preprocessing does; None where it does anything else.

        Parameters
        ----------
        preprocess : torchvision.transforms.Compose
            Its last step makes a picture an array or a tensor.
        """
        from torchvision import transforms

        *steps, _ = preprocess.transforms
        if [type(step) for step in steps] != [transforms.Resize, transforms.CenterCrop]:
            return None
        resize, crop = steps
        if resize.interpolation.value not in ("bilinear", "bicubic") or resize.max_size:
            return None
        size = resize.size if isinstance(resize.size, int) else tuple(resize.size)
        size = size[0] if isinstance(size, tuple) and len(size) == 1 else size
        smallest = min(size) if isinstance(size, tuple) else size
        fits = max(crop.size) <= smallest  # else the crop would be filled up
        return cls(size, tuple(crop.size), resize.interpolation.value) if fits else None

    def __call__(self, pictures):
        """Resize and crop pictures.

        Parameters
        ----------
        pictures : tensor of uint8 of shape (n, 3, height, width)

        Returns
        -------
        pictures : tensor of uint8 of shape (n, 3, *crop)
        """
        import torch

        resized = self._resized(*pictures.shape[2:])
        sides = zip(pictures.shape[2:], resized, self.crop)
        rows, columns = (self._matrix(*side, pictures.device) for side in sides)
        with inference(pictures.device, "tf32"):
            pictures = pictures.to(torch.float32, memory_format=torch.contiguous_format)
            pixels = rows @ (pictures @ columns.T)
        return pixels.add_(0.5).clamp_(0, 255).to(torch.uint8)

    def _resized(self, height, width):
        """As torchvision rounds it."""
        if isinstance(self.size, tuple):
            return self.size
        short, long = sorted((height, width))
        sides = self.size, int(self.size * long / short)
        return sides if height <= width else sides[::-1]

    def _matrix(self, length, resized, cropped, device):
        import torch
        from torch.nn.functional import interpolate

        key = length, resized, cropped, device
        if key not in self._matrices:
            whole = torch.eye(length)[None, None]
            options = {"mode": self.mode, "antialias": True, "align_corners": False}
            matrix = interpolate(whole, (length, resized), **options)[0, 0].T
            start = round((resized - cropped) / 2)
            self._matrices[key] = matrix[start : start + cropped].contiguous().to(device)
        return self._matrices[key]


def device_batches(images, positions, resizing, batch_size, device):
    """Yield batches of pixels on a device.

    Parameters
    ----------
    images : list
    positions : list of int
        Those of the images to be read.
    resizing : Resizing
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
    decode = jpeg_decoder(device)
    stream = _side_stream(device)
    with decoding_threads() as threads, ThreadPoolExecutor(1) as reader:

        def read(batch):
            return [_read(images[i], i, decode is not None, threads) for i in batch]

        ahead = deque()
        try:
            for start in range(0, len(positions), batch_size):
                batch = positions[start : start + batch_size]
                ahead.append((batch, reader.submit(read, batch)))
                if len(ahead) > 2:
                    yield _on_device(*ahead.popleft(), images, resizing, device, decode, stream)
            while ahead:
                yield _on_device(*ahead.popleft(), images, resizing, device, decode, stream)
        finally:
            reader.shutdown(cancel_futures=True)


def _read(image, position, jpegs, threads):
    """Pixels (height, width, 3), bytes of a file that the device can decode, or a future of pixels.

    Files are read by one thread: that is fast, and many would wait for one another. What Pillow
    has to decode is left to as many threads as there are processors.
    """
    if is_picture_of_bytes(image):
        return image
    if jpegs and isinstance(image, (str, os.PathLike)) and os.path.isfile(image):
        with open(image, "rb") as file:
            content = file.read()
        if is_plain_jpeg(content):
            return content
    return threads.submit(lambda: np.asarray(read_image(image, position)))


def _on_device(positions, future, images, resizing, device, decode, stream):
    import torch

    sources = [s.result() if isinstance(s, Future) else s for s in future.result()]
    with stream() as current:
        pixels = _decoded(sources, positions, images, decode)
        places = {}  # of the pictures of each shape
        for i, picture in enumerate(pixels):
            places.setdefault(tuple(picture.shape), []).append(i)
        parts = [
            resizing(_uploaded([pixels[i] for i in group], device)) for group in places.values()
        ]
        if len(parts) > 1:
            order = torch.tensor(sum(places.values(), [])).argsort().to(device)
            parts = [torch.cat(parts)[order]]
        if current is not None:
            current.synchronize()
    return positions, parts[0]


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
    return buffer.to(device, non_blocking=True).permute(0, 3, 1, 2)


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

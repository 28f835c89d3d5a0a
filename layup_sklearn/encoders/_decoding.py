"""Pictures decoded in threads, a batch at a time."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import joblib
import numpy as np

from ._images import ImageReadError

_MOST_THREADS = 16


@contextmanager
def decoding_threads():
    """Threads that decode pictures; what has not begun when the context ends is dropped."""
    threads = ThreadPoolExecutor(min(joblib.cpu_count(), _MOST_THREADS))
    try:
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)


def decoded_batches(images, positions, decode, batch_size, *, device):
    """Yield batches of pixels.

    For an accelerator the next batch is decoded meanwhile. The CPU takes turns: its threads
    wait for one another in every layer, and one that decodes in between would hold up all.

    Parameters
    ----------
    images : list
    positions : list of int
        Those of the images to be decoded.
    decode : callable
        ``decode(image, position)`` gives an array of the same shape for every image.
    batch_size : int
    device : torch.device
        Where the network works.

    Yields
    ------
    positions : list of int
        Of one batch, in the order given.
    pixels : ndarray of shape (n_positions, ...)

    Raises
    ------
    ImageReadError
        Of the first image of a batch that cannot be decoded, or becomes another shape.
    """
    under_way, n_ahead = deque(), 0 if device.type == "cpu" else 1
    with decoding_threads() as threads:
        for start in range(0, len(positions), batch_size):
            batch = positions[start : start + batch_size]
            under_way.append((batch, [threads.submit(decode, images[i], i) for i in batch]))
            if len(under_way) > n_ahead:
                yield _collect(*under_way.popleft())
        while under_way:
            yield _collect(*under_way.popleft())


def _collect(positions, futures):
    arrays = [future.result() for future in futures]
    for array, position in zip(arrays, positions):
        if array.shape != arrays[0].shape:
            raise ImageReadError(
                position,
                f"preprocessing gives shape {array.shape}, but {arrays[0].shape} for "
                f"X[{positions[0]}]: all images of a call must become one shape.",
            )
    return positions, np.stack(arrays)

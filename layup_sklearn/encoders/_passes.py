"""Batches through a network, in one pass each or in several, and what follows a pass."""

import warnings
from collections import deque

from .._sample_error import SampleError
from ._torch import run_ahead, to_host

ROWS = 1024  # of features that are worked on at a time


class Passes:
    """Batches through a network in one pass each; in several from when memory has run out."""

    def __init__(self, size, unit):
        self.size, self.unit, self.warned = size, unit, False

    def launched(self, batches, launch, device):
        """Yield (positions, features as arrays) of batches of (positions, inputs).

        On CUDA the network works on later batches while the caller has one.

        Parameters
        ----------
        batches : iterable
        launch : callable
            From inputs to a tensor of features.
        device : torch.device
        """
        if device.type != "cuda":
            return self._launched(batches, launch, 0)
        return run_ahead(self._launched(run_ahead(batches, 2), launch, 2), 4)

    def _launched(self, batches, launch, n_under_way):
        under_way, failed = deque(), None
        try:
            for positions, inputs in batches:
                for rows, features in self._of(inputs, launch):
                    under_way.append((positions[rows], to_host(features)))
                    if len(under_way) > n_under_way:
                        rows, arrived = under_way.popleft()
                        yield rows, arrived()
        except SampleError as error:  # of a sample after those that are under way
            failed = error
        for rows, arrived in under_way:
            yield rows, arrived()
        if failed is not None:
            raise failed

    def _of(self, inputs, launch):
        """Yield (rows, features)."""
        start = 0
        while start < len(inputs):
            rows = slice(start, start + self.size)
            try:
                features = launch(inputs[rows])
            except RuntimeError as error:
                if self.size == 1 or not _is_out_of_memory(error):
                    raise
                self._halve()
                continue
            start += self.size
            yield rows, features

    def _halve(self):
        if not self.warned:
            warnings.warn(
                f"Memory ran out with {self.size} {self.unit}s in one pass of the network: going "
                "on with half of them, or fewer; lower batch_size.",
                stacklevel=3,
            )
        self.warned, self.size = True, self.size // 2


def standardise_layers(features, sizes):
    """Bring every layer of every row to mean 0 and variance 1, in place.

    Parameters
    ----------
    features : tensor of shape (n_samples, sum of sizes), float
    sizes : list of int
        Widths of the layers.
    """
    for rows in features.split(ROWS):
        for layer in rows.split(sizes, dim=1):
            layer -= layer.mean(dim=1, keepdim=True)
            layer /= (layer.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()


def as_slice(positions):
    """A range as a slice, which arrays take at once; other positions as they are."""
    if isinstance(positions, range):
        return slice(positions.start, positions.stop)
    return positions


def _is_out_of_memory(error):
    """Of CUDA, MPS or the CPU."""
    text = str(error)
    return "out of memory" in text or "can't allocate memory" in text

"""How the states of a layer become columns: the only place that knows the poolings by name."""

from typing import NamedTuple


class Pooling(NamedTuple):
    """One way to pool.

    Attributes
    ----------
    pool : callable
        ``pool(states, mask)`` of tensors (n, positions, width) and (n, positions, 1) or None:
        where positions count. Gives a tensor (n, `times` * width).
    times : int
        How often the width becomes columns.
    of_class_token : bool
        Whether the states are those of tokens beside the positions, the class token first.
    """

    pool: object
    times: int = 1
    of_class_token: bool = False


def _first(states, mask):
    return states[:, 0]


def _mean(states, mask):
    if mask is None:
        return states.mean(dim=1)
    return states.masked_fill(~mask, 0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def _mean_and_deviation(states, mask):
    import torch

    mean = _mean(states, mask)
    squares = (states - mean[:, None]).square()
    return torch.cat([mean, _mean(squares, mask).sqrt()], dim=1)


POOLINGS = {
    "token": Pooling(_first, of_class_token=True),
    "avg": Pooling(_mean),
    "avg+std": Pooling(_mean_and_deviation, times=2),
}


def pooled(states, name, mask=None):
    """Columns of a layer.

    Parameters
    ----------
    states : tensor of shape (n, positions, width), or (n, width, height, width of the map)
    name : str
        Of `POOLINGS`.
    mask : tensor of shape (n, positions), bool, default=None

    Returns
    -------
    features : tensor of shape (n, n_columns), float32
    """
    if states.ndim == 4:
        states = states.flatten(2).transpose(1, 2)
    return POOLINGS[name].pool(states.float(), None if mask is None else mask[:, :, None])


def columns_of(sizes, name):
    """Numbers of columns of layers of some widths."""
    return [POOLINGS[name].times * size for size in sizes]

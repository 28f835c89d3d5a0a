"""Outputs of named layers of a module, by hooks."""

import threading

import numpy as np

from ._locks import Lock
from ._pooling import POOLINGS, pooled
from ._torch import inference

_hooking = Lock()  # hooks see the passes of all threads, and torch iterates over them


def hooked_features(module, inputs, layers, pool, precision="float32"):
    """Pooled outputs of named layers, side by side.

    Parameters
    ----------
    module : torch.nn.Module
    inputs : tensor of shape (n_samples, ...)
    layers : list of str
        Names of submodules.
    pool : {"avg", "avg+std", "token"} or callable
    precision : {"auto", "float32", "tf32", "bfloat16"}
        Of the matrix products.

    Returns
    -------
    features : list of tensor of shape (n_samples, width), float32
        In the order of `layers`.
    """
    found, here = {}, threading.get_ident()

    def hook(name):
        def keep(layer, args, output):
            if threading.get_ident() == here:  # a process forked meanwhile has the hook, too
                # At once: the next layer may work in place, on what this one gives.
                found[name] = _pooled(name, output, pool, inputs)

        return keep

    with _hooking, inference(inputs.device, precision):
        hooks = [module.get_submodule(name).register_forward_hook(hook(name)) for name in layers]
        try:
            module(inputs)
        finally:
            for handle in hooks:
                handle.remove()
    if missing := [name for name in layers if name not in found]:
        raise ValueError(f"The layer {missing[0]!r} takes no part when the module is called.")
    return [found[name] for name in layers]


def _channels_first(output, inputs):
    """A map (n, channels, height, width), also of layers that give the channels last.

    Height and width keep the shape of the input, but for a few positions at the edges, or each
    divides that of the input; where both orders would do, it is torch's own.
    """
    if inputs.ndim != 4:
        return output
    sides, (a, b, c) = inputs.shape[2:], output.shape[1:]
    first = _keeps_shape((b, c), sides, 2) or not any(np.remainder(sides, (b, c)))
    return output.permute(0, 3, 1, 2) if not first and _keeps_shape((a, b), sides, 1) else output


def _keeps_shape(sizes, sides, n_lost):
    """Whether a map has the ratio of the picture's sides, with so many positions lost or won."""
    ratio, lost = np.log(np.divide(*sizes)) - np.log(np.divide(*sides)), n_lost / np.array(sizes)
    return abs(ratio) <= lost.sum()


def _pooled(name, output, pool, inputs):
    import torch

    output = output[0] if isinstance(output, (tuple, list)) and len(output) else output
    if not isinstance(output, torch.Tensor):
        raise ValueError(f"The layer {name!r} gives a {type(output).__name__}, not a tensor.")
    if callable(pool):
        features = pool(output)
    elif output.ndim == 4 and not POOLINGS[pool].of_class_token:
        features = pooled(_channels_first(output, inputs), pool)
    elif output.ndim == 3:
        features = pooled(output, pool)
    else:
        features = output
    if not isinstance(features, torch.Tensor):
        raise ValueError(
            f"pool={pool!r} makes a {type(features).__name__} of the layer {name!r}, not a tensor."
        )
    if features.ndim != 2 or len(features) != len(inputs):
        raise ValueError(
            f"The layer {name!r} gives shape {tuple(output.shape)}, which "
            f"pool={getattr(pool, '__name__', pool)!r} turns into {tuple(features.shape)}, not (n_images, width): give a function as pool."
        )
    return features.float().clone()

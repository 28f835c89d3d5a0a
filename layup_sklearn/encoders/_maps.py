"""The positions of an image that the columns of a layer are means over."""

from typing import NamedTuple

import numpy as np

from .._samples import as_array
from ._image_encoder import ImageEncoder, normalised
from ._layers import layer_order
from ._pooling import POOLINGS, pooled
from ._timm import layer_maps
from ._torch import on_device


class LayerMap(NamedTuple):
    """A layer's columns of one image, its means taken apart.

    Attributes
    ----------
    states : ndarray of shape (height, width, n_means), float64
        Their mean over the positions is the first columns of the layer.
    rest : ndarray of shape (n_columns - n_means,), float64
        The other columns: standard deviations, or nothing.
    """

    states: np.ndarray
    rest: np.ndarray


def maps_of_image(encoder, image) -> tuple[list[LayerMap], np.ndarray]:
    """Maps of all layers in use, and the picture that the network saw.

    Parameters
    ----------
    encoder : ImageEncoder or AdaptedImageEncoder
        Fitted.
    image : one of what `ImageEncoder.transform` takes

    Returns
    -------
    maps : list of LayerMap
        In the order of the columns: deepest first.
    picture : ndarray of shape (height, width, 3), uint8

    Raises
    ------
    ValueError
        When the encoder is another one, or its columns are no means over positions.
    """
    encoder = encoder._adapted() if hasattr(encoder, "_adapted") else encoder
    if not isinstance(encoder, ImageEncoder):
        kind = "without an encoder" if encoder is None else f"of a {type(encoder).__name__}"
        raise ValueError(
            f"Features {kind} have no patches that are known: patch_contributions needs an ImageEncoder or "
            "AdaptedImageEncoder; layer_contributions takes any features."
        )
    network = encoder._network()
    encoder._check_fingerprint()
    pool, normalises = encoder._pool(network), encoder._normalises(network)
    if POOLINGS[pool].of_class_token:
        raise ValueError(f"pool={pool!r} is a sum over no patches: learn with pool='avg'.")
    [(_, pixels)] = encoder._batches(network, encoder.as_samples([image]), range(1))
    _, mean, std = encoder._preprocessing(network)
    inputs = normalised(on_device(pixels, network.device), mean, std)
    order = layer_order(encoder.layers, len(network.layer_sizes))
    layers = order[: len(encoder._layer_sizes(network))]
    outputs = layer_maps(network.module, inputs, layers, encoder.precision)
    maps = [_layer_map(output, pool, normalises) for output in outputs]
    return maps, np.moveaxis(as_array(pixels[0]), 0, -1)


def _layer_map(output, pool, normalises):
    """Of a tensor (1, n_means, height, width); `standardise_layers` is affine, given its moments."""
    columns = as_array(pooled(output, pool)[0]).astype(np.float64)
    states = np.moveaxis(as_array(output[0]).astype(np.float64), 0, -1)
    shift, scale = 0.0, 1.0
    if normalises:
        shift, scale = columns.mean(), np.sqrt(columns.var() + 1e-5)
    return LayerMap((states - shift) / scale, (columns[states.shape[-1] :] - shift) / scale)

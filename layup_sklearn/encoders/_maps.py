"""The positions of an image, or tokens of a text, that the columns of a layer are means over."""

from typing import NamedTuple

import numpy as np

from .._samples import as_array
from ._image_encoder import ImageEncoder, normalised
from ._layers import layer_order
from ._pooling import POOLINGS, pooled
from ._text_encoder import TextEncoder
from ._timm import layer_maps
from ._tokens import token_ids
from ._torch import on_device
from ._transformers import hidden_states


class LayerMap(NamedTuple):
    """A layer's columns of one sample, its means taken apart.

    Attributes
    ----------
    states : ndarray of shape (height, width, n_means) or (n_tokens, n_means), float64
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
        When the encoder is another one, or its columns are not means over positions.
    """
    encoder = encoder._adapted() if hasattr(encoder, "_adapted") else encoder
    _check_kind(encoder, ImageEncoder, "patches", "an ImageEncoder or AdaptedImageEncoder")
    network = encoder._network()
    pool = encoder._pool(network)
    layers = _layers_in_use(encoder, network, pool)
    [(_, pixels)] = encoder._batches(network, encoder.as_samples([image]), range(1))
    _, mean, std = encoder._preprocessing(network)
    inputs = normalised(on_device(pixels, network.device), mean, std)
    outputs = layer_maps(network.module, inputs, layers, encoder.precision)
    states = [output.permute(0, 2, 3, 1) for output in outputs]
    maps = _layer_maps(states, pool, encoder._normalises(network))
    return maps, np.moveaxis(as_array(pixels[0]), 0, -1)


def maps_of_text(encoder, text) -> tuple[list[LayerMap], list[str]]:
    """Maps of all layers in use, and the tokens that the network saw.

    Parameters
    ----------
    encoder : TextEncoder
        Fitted.
    text : str

    Returns
    -------
    maps : list of LayerMap
        In the order of the columns: deepest first.
    tokens : list of str

    Raises
    ------
    ValueError
        When the encoder is another one, its columns are not means over tokens, or the text has none.
    """
    _check_kind(encoder, TextEncoder, "tokens", "a TextEncoder")
    network = encoder._network()
    layers = _layers_in_use(encoder, network, encoder.pool)
    [ids] = token_ids(network.tokenizer, encoder.as_samples([text]), encoder._limit(network))
    if not ids:
        raise ValueError("The text has no token: nothing in it speaks for a class.")
    states, _ = hidden_states(network.module, [ids], network.pad, encoder.precision)
    outputs = [states[layer] for layer in layers]
    maps = _layer_maps(outputs, encoder.pool, encoder._normalises(network))
    return maps, network.tokenizer.convert_ids_to_tokens(ids)


def _check_kind(encoder, kind, positions, needed):
    if not isinstance(encoder, kind):
        which = "without an encoder" if encoder is None else f"of a {type(encoder).__name__}"
        raise ValueError(
            f"Features {which} have no {positions} that are known: use {needed}; "
            "layer_contributions takes any features."
        )


def _layers_in_use(encoder, network, pool):
    """Their numbers, deepest first, of the network that the encoder was fitted with."""
    encoder._check_fingerprint()
    if POOLINGS[pool].of_class_token:
        raise ValueError(f"pool={pool!r} is a sum over no positions: learn with pool='avg'.")
    order = layer_order(encoder.layers, len(network.layer_sizes))
    return order[: len(encoder._layer_sizes(network))]


def _layer_maps(outputs, pool, normalises):
    """Of tensors (1, ..., n_means); `standardise_layers` is affine, given its moments."""
    maps = []
    for output in outputs:
        columns = as_array(pooled(output.flatten(1, -2), pool)[0]).astype(np.float64)
        states = as_array(output[0].float()).astype(np.float64)
        shift, scale = 0.0, 1.0
        if normalises:
            shift, scale = columns.mean(), np.sqrt(columns.var() + 1e-5)
        rest = columns[states.shape[-1] :]
        maps.append(LayerMap((states - shift) / scale, (rest - shift) / scale))
    return maps

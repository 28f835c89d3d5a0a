"""Networks of timm: loading, reading the layers."""

import difflib
import inspect
import os
from functools import lru_cache

from ._digests import files_of
from ._loaded import LoadedNetwork
from ._pooling import POOLINGS, pooled
from ._torch import (
    device_of,
    first_line,
    float32_by_default,
    import_past_torchvision,
    inference,
    random_numbers,
)


def import_timm():
    """Import timm, see :func:`import_past_torchvision`.

    Returns
    -------
    timm : module

    Raises
    ------
    ImportError
        When torch or timm is not installed.
    """
    try:
        import torch  # noqa: F401

        return import_past_torchvision("timm")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"Encoders need torch and timm, and {error.name!r} is missing: "
            "install both (pip install torch timm), or give ready features with "
            "LayUPClassifier(encoder=None)."
        ) from error


def load_network(model, *, pretrained, checkpoint_path, image_size, device):
    """Frozen network of a timm model, shared by all that ask for the same one.

    Parameters
    ----------
    model : str
    pretrained : bool
        False: random weights, always the same ones.
    checkpoint_path : str, path or None
        File with the weights, in place of the hub's.
    image_size : int or None
        Side of the input in pixels; None = the model's own.
    device : str

    Returns
    -------
    network : TimmNetwork
        Without gradients.

    Raises
    ------
    ValueError
        For an unknown model, weights that do not fit it, or an image_size or device that it
        cannot take.
    OSError
        For weights that cannot be had.
    """
    if checkpoint_path is not None:
        checkpoint_path = os.path.abspath(os.fspath(checkpoint_path))
        if not os.path.isfile(checkpoint_path):
            raise FileNotFoundError(f"checkpoint_path={checkpoint_path!r} is not a file.")
        checkpoint_path = (checkpoint_path, os.stat(checkpoint_path).st_mtime_ns)
    folder = model.removeprefix("local-dir:")
    files = files_of(folder) if folder != model and os.path.isdir(folder) else None
    return _load_network(model, files, pretrained, checkpoint_path, image_size, device)


@lru_cache(maxsize=4)
def _load_network(model, files, pretrained, checkpoint, image_size, device):
    import_timm()
    with float32_by_default():
        return TimmNetwork(_new_network(model, pretrained, checkpoint, image_size, device))


def _new_network(model, pretrained, checkpoint, image_size, device):
    timm = import_timm()
    import torch
    from torch.nn.utils import convert_conv2d_weight_memory_format

    _check_model_name(model)
    if checkpoint is not None:
        network = _from_checkpoint(model, checkpoint[0])
    elif pretrained:
        try:
            network = timm.create_model(model, pretrained=True, num_classes=0)
        except (OSError, RuntimeError) as error:
            raise OSError(
                f"The weights of {model!r} could not be loaded ({first_line(error)}); give a file of "
                "them as checkpoint_path."
            ) from error
    else:
        with random_numbers(0):
            network = timm.create_model(model, pretrained=False, num_classes=0)
    network = network.eval().to(device)
    if device == "cpu":  # up to 1.6 times as fast: benchmarks/results/speed.md
        convert_conv2d_weight_memory_format(network, torch.channels_last)
    if image_size is not None:
        _set_image_size(network, image_size, model)
    return network.requires_grad_(False)


def _set_image_size(network, image_size, model):
    import torch

    try:
        if hasattr(network, "set_input_size"):
            network.set_input_size(img_size=(image_size, image_size))
        with torch.inference_mode():
            network(torch.zeros(1, 3, image_size, image_size, device=device_of(network)))
    except Exception as error:  # assertions and errors of shape, of many kinds
        raise ValueError(
            f"image_size={image_size} does not suit {model!r}: {first_line(error)}"
        ) from error


def _from_checkpoint(model, path):
    """Weights from a file, in timm's names or, all renamed, in timm's order."""
    timm = import_timm()
    from timm.models import load_state_dict

    try:
        state = load_state_dict(path, weights_only=True)
        network = timm.create_model(model, pretrained=False)
        own = network.state_dict()
        shapes = [[value.shape for value in part.values()] for part in (own, state)]
        if own.keys().isdisjoint(state) and shapes[0] == shapes[1]:
            network.load_state_dict(dict(zip(own, state.values())))
            return network
        backbone = _without_classifier(state, network)
        return timm.create_model(
            model,
            pretrained=True,
            num_classes=0,
            pretrained_cfg_overlay={"state_dict": backbone, "num_classes": 0},
        )
    except Exception as error:
        reason = "it is not a file of tensors alone" if "weights_only" in str(error) else error
        raise ValueError(f"{path!r} holds no weights for {model!r}: {reason}") from error


def _without_classifier(state, network):
    """The weights of a file without those of its own classifier, of however many classes."""
    names = network.pretrained_cfg.get("classifier") or ()
    prefixes = tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))
    return {name: value for name, value in state.items() if not name.startswith(prefixes or "\0")}


def _check_model_name(model):
    timm = import_timm()
    if ":" in model or model in timm.list_pretrained():  # "hf-hub:...", "local-dir:..."
        return
    names = timm.list_models()
    if model not in names:
        near = difflib.get_close_matches(model, [*timm.list_pretrained(), *names], n=3)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        text = f" A network for texts goes into TextEncoder({model!r})." if "/" in model else ""
        raise ValueError(
            f"timm knows no model {model!r}.{hint}{text} timm.list_models() lists all."
        )


class TimmNetwork(LoadedNetwork):
    """A frozen network of timm.

    Attributes
    ----------
    layer_sizes : list of int
        Widths of all layers that it can give, first layer first.
    layers_are_tokens : bool
        Whether timm gives its layers as tokens (plain vision transformers), not as maps.
    has_class_token : bool
        Whether class tokens are among the outputs of its layers. Some networks have one that
        joins after all of these layers (CaiT, ConViT), others registers only.
    """

    @property
    def layer_sizes(self):
        if not hasattr(self.module, "forward_intermediates"):
            raise ValueError(
                f"{type(self.module).__name__} does not give its inner layers to timm: give it to "
                "ModuleEncoder, with the names of the layers."
            )
        return [info["num_chs"] for info in self.module.feature_info]

    @property
    def layers_are_tokens(self):
        return _gives_tokens(self.module)

    @property
    def has_class_token(self):
        return self.layers_are_tokens and getattr(self.module, "cls_token", None) is not None


def _gives_tokens(module):
    return "return_prefix_tokens" in inspect.signature(module.forward_intermediates).parameters


def layer_features(module, images, layers, pool, precision="float32"):
    """Pooled outputs of layers of a network, side by side.

    Parameters
    ----------
    module : torch.nn.Module
    images : tensor of shape (n_images, 3, height, width)
    layers : list of int
        Their numbers, from 1 on, in the order of the columns.
    pool : str
        Of `POOLINGS`: a class token is the first of the prefix tokens, positions are patches
        or pixels, without prefix tokens.
    precision : {"auto", "float32", "tf32", "bfloat16"}
        Of the matrix products.

    Returns
    -------
    features : tensor of shape (n_images, sum of the layers' widths), float32
    """
    import torch

    of_class_token = POOLINGS[pool].of_class_token
    tokens = {"return_prefix_tokens": of_class_token, "output_fmt": "NLC"}
    options = tokens if _gives_tokens(module) else {}
    with inference(images.device, precision):
        states = _states(module, images, layers, **options)
        states = [each[1] for each in states] if of_class_token else states
        return torch.cat([pooled(each, pool) for each in states], dim=1)


def layer_maps(module, images, layers, precision="float32"):
    """Outputs of layers of a network at their positions, without prefix tokens.

    Parameters
    ----------
    module, images, layers, precision
        As in `layer_features`.

    Returns
    -------
    maps : list of tensor of shape (n_images, width of the layer, height, width), float32
    """
    with inference(images.device, precision):
        return [each.float() for each in _states(module, images, layers)]


def _states(module, images, layers, **options):
    """What timm gives of layers, in the order of `layers`."""
    found = module.forward_intermediates(
        images,
        indices=sorted(layer - 1 for layer in layers),
        norm=False,
        intermediates_only=True,
        **options,
    )
    states = dict(zip(sorted(layers), found))
    return [states[layer] for layer in layers]

"""Images to multi-layer features of a frozen timm network."""

import os
from typing import Literal

import numpy as np
from joblib import Memory
from numpy.typing import NDArray

from .._typing import Samples, StrPath
from .._validation import HasMethods, StrOptions
from ._base import DEFAULT_LAYERS, POSITIVE, FrozenEncoder
from ._cache import FeatureCache
from ._decoding import decoded_batches
from ._device_pixels import Resizing, device_batches
from ._images import as_image_list, image_key, image_stamp, read_image
from ._layers import ORDERS, layer_order
from ._pooling import POOLINGS, columns_of
from ._timm import import_timm, layer_features, load_network
from ._torch import PRECISIONS, constant, find_device, on_device


class ImageEncoder(FrozenEncoder):
    """Pooled outputs of the last layers of a frozen timm network.

    Stateless: `fit` only loads the network and so checks the parameters. The network is
    shared by clones and never part of the estimator: pickles hold parameters.

    Parameters
    ----------
    model : str, default="vit_base_patch16_224.augreg_in21k"
        Name of a timm model, with its full tag.
    n_layers : int, default=6
        Number of layers: blocks of a transformer, stages of a convolutional or
        hierarchical network. 6 is all of a network that has fewer, as most with stages
        do; any other number that is too large is an error.
    layers : {"last", "spread"}, default="last"
        Which ones, where `n_layers` is not all. "last": the deepest, as in the paper. "spread":
        spread over the depth, the deepest first (of twelve 12, 6, 9, 3, 11, ...); with two to four
        layers better (benchmarks/results/layers.md).
    pool : {"auto", "token", "avg", "avg+std"}, default="auto"
        "token": class token; of two, as in a distilled DeiT, the first. "avg": mean over
        patches or positions, without class tokens and registers. "avg+std": the mean and
        after it the standard deviation, twice as many columns. "auto": "avg" where timm
        gives layers as tokens (ViT, DINOv2, CLIP, EVA, BEiT), "avg+std" where it gives them
        as maps (convolutions, Swin): the best use of the columns in the streams that were
        measured.
    layer_norm : bool or "auto", default="auto"
        Standardise every layer's vector, means and deviations together, over its own
        features. "auto": where layers are tokens, not where they are maps.
    preprocessing : {"model", "paper"}, default="model"
        "model": the network's own resizing, crop and normalisation. "paper": bilinear
        resizing of the shorter side to the input size, centre crop, pixels in [0, 1].
    image_size : int, default=None
        Side of the network's input in pixels; None = the network's own.
    pretrained : bool, default=True
        Weights of the model's tag, from the hub. False: random, always the same ones
        (for tests and timings).
    checkpoint_path : str or path, default=None
        File with the weights instead, in timm's names, or all renamed in timm's order.
    device : str, default="auto"
        "auto": CUDA, else MPS, else CPU.
    precision : {"auto", "float32", "tf32", "bfloat16"}, default="auto"
        Of the network's matrix products. "auto": bfloat16 on CUDA, where features then
        differ by about half a percent of their norm, float32 elsewhere.
    batch_size : int, default=64
        Images in one pass of the network; halved, with a warning, where memory runs out.
    memory : FeatureCache, joblib.Memory, str, path or None, default=None
        Where features are kept, one entry for each distinct image with all its layers,
        so that no image goes through the network twice: a folder, for several processes
        and later runs, or a :class:`FeatureCache`, also in memory.
    verbose : int, default=0
        1 shows a progress bar with images per second.

    Attributes
    ----------
    layer_sizes_ : list of int
        Widths of the layers in the order of the columns: deepest first.

    See Also
    --------
    LayUPClassifier : Learns from these features, task by task.
    FeatureCache : Keeps features, for `memory`.

    Notes
    -----
    h_l(x) is the output of block l before any final norm; the row of x is
    [h_L, h_(L-1), ...] (LayUP, equation 2, with the layers in reverse: fewer layers are
    the leading columns). The paper takes the raw class tokens of 6 layers: ``pool="token",
    layer_norm=False, preprocessing="paper"``. Means with layer norm, and of maps means with
    standard deviations, were better (benchmarks/results/defaults.md). Images are read to 8 bits
    a channel, turned as their EXIF orientation says, transparent parts over white, 16-bit
    scaled; in threads, which for an accelerator work on the next batch meanwhile. Only the
    features grow with the number of images (PIL images that were opened and not loaded are
    loaded, where they are).

    References
    ----------
    .. [1] Ahrens, Lehmann, Lee, Wermter, "Read Between the Layers", TMLR 2024,
       arXiv:2312.08888.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn import ImageEncoder
    >>> images = np.zeros((2, 32, 32, 3), dtype=np.uint8)
    >>> encoder = ImageEncoder("test_vit", pretrained=False, n_layers=4)
    >>> encoder.fit(images).layer_sizes_
    [64, 64, 64, 64]
    >>> encoder.transform(images).shape
    (2, 256)
    """

    _parameter_constraints = {
        "model": [str],
        "n_layers": [POSITIVE],
        "layers": [StrOptions(ORDERS)],
        "pool": [StrOptions({"auto", *POOLINGS})],
        "layer_norm": ["boolean", StrOptions({"auto"})],
        "preprocessing": [StrOptions({"model", "paper"})],
        "image_size": [None, POSITIVE],
        "pretrained": ["boolean"],
        "checkpoint_path": [None, str, os.PathLike],
        "device": [str],
        "precision": [StrOptions(PRECISIONS)],
        "batch_size": [POSITIVE],
        "memory": [None, str, os.PathLike, FeatureCache, HasMethods("cache")],
        "verbose": ["verbose"],
    }
    _unit = "image"
    as_samples = staticmethod(as_image_list)
    _key = staticmethod(image_key)
    _stamp = staticmethod(image_stamp)

    def __init__(
        self,
        model: str = "vit_base_patch16_224.augreg_in21k",
        *,
        n_layers: int = DEFAULT_LAYERS,
        layers: Literal["last", "spread"] = "last",
        pool: Literal["auto", "token", "avg", "avg+std"] = "auto",
        layer_norm: bool | Literal["auto"] = "auto",
        preprocessing: Literal["model", "paper"] = "model",
        image_size: int | None = None,
        pretrained: bool = True,
        checkpoint_path: StrPath | None = None,
        device: str = "auto",
        precision: Literal["auto", "float32", "tf32", "bfloat16"] = "auto",
        batch_size: int = 64,
        memory: FeatureCache | Memory | StrPath | None = None,
        verbose: int = 0,
    ):
        self.model = model
        self.n_layers = n_layers
        self.layers = layers
        self.pool = pool
        self.layer_norm = layer_norm
        self.preprocessing = preprocessing
        self.image_size = image_size
        self.pretrained = pretrained
        self.checkpoint_path = checkpoint_path
        self.device = device
        self.precision = precision
        self.batch_size = batch_size
        self.memory = memory
        self.verbose = verbose

    def transform(self, X: Samples) -> NDArray[np.float32]:
        """Compute features of images.

        Parameters
        ----------
        X : list, ndarray, tensor, pandas Series or one-column DataFrame
            Images of one kind: paths; PIL images; arrays or tensors (height, width) or
            with 1, 3 or 4 channels first or last, of bytes, unsigned 16-bit integers or
            floats in [0, 1]. One array may hold a batch, or one image with a colour axis.

        Returns
        -------
        features : ndarray of shape (n_images, sum of `layer_sizes_`), float32
            Deepest layer first.

        Raises
        ------
        ValueError
            For an image that cannot be read; names its position, path and cause.
        """
        return self._transform(X)

    def _name(self):
        return repr(self.model)

    def _network(self):
        self._validate_params()
        import_timm()
        return load_network(
            self.model,
            pretrained=self.pretrained,
            checkpoint_path=self.checkpoint_path,
            image_size=self.image_size,
            device=find_device(self.device),
        )

    def _all_layer_sizes(self, network):
        widths = network.layer_sizes
        sizes = [widths[layer - 1] for layer in layer_order(self.layers, len(widths))]
        pool = self._pool(network)
        if POOLINGS[pool].of_class_token and not network.has_class_token:
            raise ValueError(f"{self.model!r} has no class token: use pool='avg'.")
        return columns_of(sizes, pool)

    def _pool(self, network):
        if self.pool != "auto":
            return self.pool
        return "avg" if network.layers_are_tokens else "avg+std"

    def _normalises(self, network):
        return network.layers_are_tokens if self.layer_norm == "auto" else bool(self.layer_norm)

    def _space(self, network):
        preprocess, mean, std = self._preprocessing(network)
        pool = self._pool(network)
        name = network.module.pretrained_cfg.get("architecture")
        weights = f"{name} {network.architecture} {network.digest}"
        return f"{weights} {preprocess} {mean} {std} {pool} {self.precision} {self.layers}"

    def _batches(self, network, images, positions):
        preprocess, _, _ = self._preprocessing(network)
        device = network.device
        if device.type == "cuda" and (resizing := Resizing.of(preprocess)) is not None:
            return device_batches(images, positions, resizing, self.batch_size, device)

        def decode(image, position):
            return np.asarray(preprocess(read_image(image, position)))

        return decoded_batches(images, positions, decode, self.batch_size, device=device)

    def _launch(self, network, pixels, n_layers):
        _, mean, std = self._preprocessing(network)
        pixels = normalised(on_device(pixels, network.device), mean, std)
        layers = layer_order(self.layers, len(network.layer_sizes))[:n_layers]
        return layer_features(network.module, pixels, layers, self._pool(network), self.precision)

    def _preprocessing(self, network):
        """A function from pictures to bytes of shape (3, height, width), mean and std."""
        from timm.data import create_transform, resolve_model_data_config
        from torchvision import transforms

        config = resolve_model_data_config(network.module)
        if self.image_size is not None:
            config["input_size"] = (3, self.image_size, self.image_size)
        if self.preprocessing == "model":
            to_bytes = create_transform(**config, is_training=False, use_prefetcher=True)
            return to_bytes, config["mean"], config["std"]
        side = config["input_size"][-1]
        steps = [transforms.Resize(side), transforms.CenterCrop(side), transforms.PILToTensor()]
        return transforms.Compose(steps), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def normalised(pixels, mean, std):
    """Bytes of shape (..., 3, height, width) as the network takes them."""
    mean, std = (constant(tuple(values), pixels.device)[:, None, None] for values in (mean, std))
    return pixels.float().div_(255).sub_(mean).div_(std)

"""Images to multi-layer features of a frozen network."""

import os
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions

from ._image_reading import as_image_list, read_image
from ._network import import_timm, layer_features, layer_sizes, load_network

_POSITIVE = Interval(Integral, 1, None, closed="left")


class ImageEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Pooled outputs of the last layers of a frozen timm network.

    Stateless: `fit` only loads the network and so checks the parameters. The network is
    shared by clones and never part of the estimator: pickles hold parameters.

    Parameters
    ----------
    model : str, default="vit_base_patch16_224.augreg_in21k"
        Name of a timm model, with its full tag.
    n_layers : int, default=6
        Number of last layers: blocks of a transformer, stages of a convolutional
        network.
    pool : {"token", "avg"}, default="token"
        Class token, or mean over patches or positions.
    layer_norm : bool, default=False
        Standardise every layer's vector over its own features.
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
    batch_size : int, default=64
        Images in one pass of the network.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    layer_sizes_ : list of int
        Widths of the layers in the order of the columns: deepest first.

    See Also
    --------
    LayUPClassifier : Learns from these features, task by task.

    Notes
    -----
    h_l(x) is the output of block l before any final norm; the row of x is
    [h_L, h_(L-1), ...] (LayUP, equation 2, with the layers in reverse: fewer layers are
    the leading columns). Images are read to 8 bits a channel, turned as their EXIF
    orientation says, transparent parts over white, 16-bit scaled.

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
        "n_layers": [_POSITIVE],
        "pool": [StrOptions({"token", "avg"})],
        "layer_norm": ["boolean"],
        "preprocessing": [StrOptions({"model", "paper"})],
        "image_size": [None, _POSITIVE],
        "pretrained": ["boolean"],
        "checkpoint_path": [None, str, os.PathLike],
        "device": [str],
        "batch_size": [_POSITIVE],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        model="vit_base_patch16_224.augreg_in21k",
        *,
        n_layers=6,
        pool="token",
        layer_norm=False,
        preprocessing="model",
        image_size=None,
        pretrained=True,
        checkpoint_path=None,
        device="auto",
        batch_size=64,
        verbose=0,
    ):
        self.model = model
        self.n_layers = n_layers
        self.pool = pool
        self.layer_norm = layer_norm
        self.preprocessing = preprocessing
        self.image_size = image_size
        self.pretrained = pretrained
        self.checkpoint_path = checkpoint_path
        self.device = device
        self.batch_size = batch_size
        self.verbose = verbose

    def fit(self, X=None, y=None):
        """Load the network.

        Parameters
        ----------
        X : object, default=None
            Ignored.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : ImageEncoder

        Raises
        ------
        ValueError
            For parameters that do not fit each other or the network.
        OSError
            For weights that cannot be had.
        ImportError
            Where torch or timm is missing.
        """
        self.layer_sizes_ = self._layer_sizes(self._network())
        return self

    def transform(self, X):
        """Features of images.

        Parameters
        ----------
        X : list, ndarray, tensor, pandas Series or one-column DataFrame
            Images of one kind: paths; PIL images; arrays or tensors (height, width) or
            with 1, 3 or 4 channels first or last, of bytes, 16-bit integers or floats in
            [0, 1]. One array may hold a batch, or one image with a colour axis.

        Returns
        -------
        features : ndarray of shape (n_images, sum of `layer_sizes_`), float32

        Raises
        ------
        ValueError
            For an image that cannot be read; names its position, path and cause.
        """
        images = as_image_list(X)
        network = self._network()
        preprocess = self._preprocessing(network)
        features = np.empty((len(images), sum(self._layer_sizes(network))), np.float32)

        import torch
        from tqdm.auto import tqdm

        device = next(network.parameters()).device
        with tqdm(total=len(images), unit="image", disable=not self.verbose) as progress:
            for rows in gen_batches(len(images), self.batch_size):
                pictures = [
                    preprocess(read_image(image, position))
                    for position, image in enumerate(images[rows], start=rows.start)
                ]
                batch = torch.stack(pictures).to(device)
                features[rows] = layer_features(
                    network, batch, self.n_layers, self.pool, self.layer_norm
                ).cpu()
                progress.update(len(pictures))
        return features

    @property
    def _n_features_out(self):
        return sum(self.layer_sizes_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags

    def _network(self):
        self._validate_params()
        import_timm()
        return load_network(
            self.model,
            pretrained=self.pretrained,
            checkpoint_path=self.checkpoint_path,
            image_size=self.image_size,
            device=_device(self.device),
        )

    def _layer_sizes(self, network):
        sizes = layer_sizes(network)
        if self.n_layers > len(sizes):
            raise ValueError(
                f"n_layers={self.n_layers}, but {self.model!r} has {len(sizes)} layers."
            )
        if self.pool == "token" and getattr(network, "cls_token", None) is None:
            raise ValueError(f"{self.model!r} has no class token: use pool='avg'.")
        return sizes[::-1][: self.n_layers]

    def _preprocessing(self, network):
        from timm.data import create_transform, resolve_model_data_config
        from torchvision import transforms

        config = resolve_model_data_config(network)
        if self.image_size is not None:
            config["input_size"] = (3, self.image_size, self.image_size)
        if self.preprocessing == "model":
            return create_transform(**config, is_training=False)
        side = config["input_size"][-1]
        return transforms.Compose(
            [transforms.Resize(side), transforms.CenterCrop(side), transforms.ToTensor()]
        )


def _device(device):
    import torch

    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"

"""Images to multi-layer features of a frozen network."""

import os
import warnings
from hashlib import blake2b
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from ._decoding import decoded_batches
from ._feature_cache import FeatureCache, as_feature_cache, image_key
from ._image_reading import as_image_list, read_image
from ._network import import_timm, layer_features, layer_sizes, load_network, weights_digest

_POSITIVE = Interval(Integral, 1, None, closed="left")
_ROWS = 1024  # of features that are worked on at a time


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
    precision : {"float32", "bfloat16"}, default="float32"
        Of the network's matrix products. "bfloat16" is faster on recent GPUs; features
        then differ by about 1 % of their norm.
    batch_size : int, default=64
        Images in one pass of the network; halved, with a warning, where memory runs out.
    memory : FeatureCache, joblib.Memory, path or None, default=None
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
    the leading columns). Images are read to 8 bits a channel, turned as their EXIF
    orientation says, transparent parts over white, 16-bit scaled; in threads, while the
    network works on the batch before. Only the features grow with the number of images.

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
        "precision": [StrOptions({"float32", "bfloat16"})],
        "batch_size": [_POSITIVE],
        "memory": [None, str, os.PathLike, FeatureCache, HasMethods("cache")],
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
        precision="float32",
        batch_size=64,
        memory=None,
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
        self.precision = precision
        self.batch_size = batch_size
        self.memory = memory
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
        sizes = self._layer_sizes(network)
        features = np.empty((len(images), sum(sizes)), np.float32)
        if self.memory is None:
            for rows, values in self._forward(network, images, range(len(images)), len(sizes)):
                features[rows] = values
        else:
            self._fill_through_cache(network, images, features)
        if self.layer_norm:
            for part in gen_batches(len(features), _ROWS):
                for layer in np.split(features[part], np.cumsum(sizes)[:-1], axis=1):
                    layer -= layer.mean(axis=1, keepdims=True)
                    layer /= np.sqrt((layer**2).mean(axis=1, keepdims=True) + 1e-5)
        return features

    def fingerprint(self):
        """Name of the space that the features live in.

        Encoders of equal fingerprint give the same features up to rounding (of the device,
        or of another composition of the batches); `n_layers` says how many columns of it.

        Returns
        -------
        fingerprint : str
            Hexadecimal digest of the weights, preprocessing, pooling, precision and layer
            norm.
        """
        space = f"{self._space(self._network())} {bool(self.layer_norm)}"
        return blake2b(space.encode(), digest_size=16).hexdigest()

    def _fill_through_cache(self, network, images, features):
        cache, width = as_feature_cache(self.memory), features.shape[1]
        all_sizes = layer_sizes(network)
        space = self._space(network)
        missing = {}  # key -> rows
        for part in gen_batches(len(images), _ROWS):
            keys = [image_key(space, images[i], i) for i in range(len(images))[part]]
            found = cache.get(keys, sum(all_sizes)) if cache is not None else {}
            for row, key in enumerate(keys, start=part.start):
                if key in found:
                    features[row] = found[key][:width]
                else:
                    missing.setdefault(key, []).append(row)
        keys = {rows[0]: key for key, rows in missing.items()}
        for positions, values in self._forward(network, images, list(keys), len(all_sizes)):
            if cache is not None:
                cache.put([keys[position] for position in positions], values)
            for position, value in zip(positions, values):
                features[missing[keys[position]]] = value[:width]

    def _forward(self, network, images, positions, n_layers):
        """Yield (positions, features) of batches of the images at some positions."""
        import torch
        from tqdm.auto import tqdm

        preprocess, mean, std = self._preprocessing(network)
        device = next(network.parameters()).device
        on_cuda = device.type == "cuda"

        def decode(image, position):
            return np.asarray(preprocess(read_image(image, position)))

        def launch(pixels):
            pixels = torch.from_numpy(pixels)
            if on_cuda:
                pixels = pixels.pin_memory()
            pixels = normalised(pixels.to(device, non_blocking=True), mean, std)
            return layer_features(network, pixels, n_layers, self.pool, self.precision)

        launched, size = [], self.batch_size
        with tqdm(total=len(positions), unit="image", disable=not self.verbose) as progress:
            for batch, pixels in decoded_batches(images, positions, decode, self.batch_size):
                start = 0
                while start < len(pixels):
                    rows = slice(start, start + size)
                    try:
                        launched.append((batch[rows], launch(pixels[rows])))
                    except RuntimeError as error:
                        if size == 1 or not _is_out_of_memory(error):
                            raise
                        if size == self.batch_size:
                            warnings.warn(
                                f"Memory ran out with {size} images in one pass of the network: "
                                "going on with half of them, or fewer; lower batch_size.",
                                stacklevel=3,
                            )
                        size //= 2
                        continue
                    start += size
                    if len(launched) > 1 or not on_cuda:  # CUDA works on one while we copy
                        yield _arrived(*launched.pop(0), progress)
            while launched:
                yield _arrived(*launched.pop(0), progress)

    def _space(self, network):
        """Text that names what an image's features depend on, `layer_norm` apart."""
        preprocess, mean, std = self._preprocessing(network)
        return f"{weights_digest(network)} {preprocess} {mean} {std} {self.pool} {self.precision}"

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
        """A function from pictures to bytes of shape (3, height, width), mean and std."""
        from timm.data import create_transform, resolve_model_data_config
        from torchvision import transforms

        config = resolve_model_data_config(network)
        if self.image_size is not None:
            config["input_size"] = (3, self.image_size, self.image_size)
        if self.preprocessing == "model":
            to_bytes = create_transform(**config, is_training=False, use_prefetcher=True)
            return to_bytes, config["mean"], config["std"]
        side = config["input_size"][-1]
        steps = [transforms.Resize(side), transforms.CenterCrop(side), transforms.PILToTensor()]
        return transforms.Compose(steps), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def normalised(pixels, mean, std):
    """Bytes of shape (..., 3, height, width) as the network takes them."""
    pixels = pixels.float().div(255)
    mean, std = (pixels.new_tensor(values)[:, None, None] for values in (mean, std))
    return pixels.sub(mean).div(std)


def _arrived(positions, features, progress):
    features = features.cpu().numpy()
    progress.update(len(features))
    return positions, features


def _is_out_of_memory(error):
    """Of CUDA, MPS or the CPU."""
    text = str(error)
    return "out of memory" in text or "can't allocate memory" in text


def _device(device):
    import torch

    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"

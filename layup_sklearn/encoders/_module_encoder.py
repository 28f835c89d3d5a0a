"""Images to features of named layers of a user's own module."""

from __future__ import annotations

import difflib
import os
import pickle
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

import joblib
import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from .._samples import as_array
from .._typing import Samples, StrPath
from .._validation import HasMethods, StrOptions
from ._base import POSITIVE, FrozenEncoder
from ._cache import FeatureCache
from ._decoding import decoded_batches
from ._digests import architecture, digest_weights
from ._hooks import hooked_features
from ._images import ImageReadError, as_image_list, image_key, image_stamp, read_image
from ._loaded import LoadedNetwork
from ._pooling import POOLINGS
from ._torch import PRECISIONS, first_line, on_device

if TYPE_CHECKING:
    import torch


def _state_of_function(function):
    """Digest of what a function does, as far as its pickle says; of a module, its weights."""
    if hasattr(function, "state_dict"):
        return f"{function} {digest_weights(function)}"
    try:
        content = pickle.dumps(joblib.wrap_non_picklable_objects(function))
    except Exception as error:  # of many kinds
        raise ValueError(f"pool={function!r} must be picklable: {first_line(error)}") from error
    return blake2b(content, digest_size=16).hexdigest()


class ModuleEncoder(FrozenEncoder):
    """Pooled outputs of named layers of your own PyTorch module, for images.

    Stateless: `fit` only checks the parameters, with a pass of a test picture. The module is
    put into evaluation mode and is otherwise left as it is: it works where its parameters
    are. Clones share it, pickles carry it.

    Parameters
    ----------
    module : torch.nn.Module
        Called with a batch of what `preprocess` gives.
    layers : list of str
        Names of the layers to read, as ``module.named_modules()`` has them, first layer
        first, each with an output of shape (n, width), (n, tokens, width) or (n, channels,
        height, width); of a tuple, the first entry is taken.
    preprocess : callable
        From an RGB PIL image to an array or tensor without batch axis, of one shape for all
        images. Called in threads.
    n_layers : int, default=None
        Number of last layers of the list; None = all.
    pool : {"avg", "avg+std", "token"} or callable, default="avg"
        "avg": mean over tokens (all of them) or positions. "avg+std": the mean and after it
        the standard deviation, twice as many columns; of maps the better choice. "token":
        first token. A function turns a layer's output into a tensor (n, width); it is
        picklable, or a lambda.
    layer_norm : bool, default=False
        Standardise every layer's vector over its own features.
    precision : {"auto", "float32", "tf32", "bfloat16"}, default="auto"
        Of the module's matrix products.
    batch_size : int, default=64
        Images in one pass; halved, with a warning, where memory runs out.
    memory : FeatureCache, joblib.Memory, str, path or None, default=None
        Where features are kept, see :class:`ImageEncoder`. An entry belongs to the weights, the
        printed module and the numbers that its parts hold, the layers, the pooling, and what
        `preprocess` makes of one test picture; clear the cache when anything else has changed, such
        as the code of ``forward`` or of an imported `pool`, or buffers that are not in the state
        dict.
    verbose : int, default=0
        1 shows a progress bar with images per second.

    Attributes
    ----------
    layer_sizes_ : list of int
        Widths of the layers in the order of the columns: deepest first.

    See Also
    --------
    ImageEncoder : The same for all networks of timm.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from layup_sklearn import ModuleEncoder
    >>> module = torch.nn.Sequential(
    ...     torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3), torch.nn.ReLU()
    ... )
    >>> def preprocess(picture):
    ...     return np.moveaxis(np.asarray(picture.resize((16, 16)), np.float32), -1, 0) / 255
    >>> encoder = ModuleEncoder(module, ["1", "3"], preprocess)
    >>> encoder.fit_transform(np.zeros((5, 20, 20, 3), np.uint8)).shape
    (5, 24)
    >>> encoder.layer_sizes_
    [16, 8]
    """

    _parameter_constraints = {
        "module": [HasMethods(["get_submodule", "state_dict"])],
        "layers": ["array-like"],
        "preprocess": [callable],
        "n_layers": [None, POSITIVE],
        "pool": [StrOptions(set(POOLINGS)), callable],
        "layer_norm": ["boolean"],
        "precision": [StrOptions(PRECISIONS)],
        "batch_size": [POSITIVE],
        "memory": [None, str, os.PathLike, FeatureCache, HasMethods("cache")],
        "verbose": ["verbose"],
    }
    _unit = "image"
    as_samples = staticmethod(as_image_list)
    _all_of_fewer = None
    _key = staticmethod(image_key)
    _stamp = staticmethod(image_stamp)

    def __init__(
        self,
        module: torch.nn.Module,
        layers: Sequence[str],
        preprocess: Callable[[Image.Image], ArrayLike],
        *,
        n_layers: int | None = None,
        pool: Literal["token", "avg", "avg+std"] | Callable[[torch.Tensor], torch.Tensor] = "avg",
        layer_norm: bool = False,
        precision: Literal["auto", "float32", "tf32", "bfloat16"] = "auto",
        batch_size: int = 64,
        memory: FeatureCache | Memory | StrPath | None = None,
        verbose: int = 0,
    ):
        self.module = module
        self.layers = layers
        self.preprocess = preprocess
        self.n_layers = n_layers
        self.pool = pool
        self.layer_norm = layer_norm
        self.precision = precision
        self.batch_size = batch_size
        self.memory = memory
        self.verbose = verbose

    def transform(self, X: Samples) -> NDArray[np.float32]:
        """Compute features of images.

        Parameters
        ----------
        X : list, ndarray, tensor, pandas Series or one-column DataFrame
            Images, see :meth:`ImageEncoder.transform`.

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

    def __sklearn_clone__(self):
        clone = type(self)(**self.get_params(deep=False))
        clone._probed = self._probed
        if hasattr(self, "_sklearn_output_config"):
            clone._sklearn_output_config = self._sklearn_output_config.copy()
        return clone

    def _name(self):
        return "this ModuleEncoder"

    def _network(self):
        self._validate_params()
        names = [name for name, _ in self.module.named_modules()]
        for layer in self.layers:
            if layer not in names:
                near = difflib.get_close_matches(layer, names, n=3)
                hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
                raise ValueError(f"The module has no layer {layer!r}.{hint}")
        return LoadedNetwork(self.module.eval())

    def _all_layer_sizes(self, network):
        if len(self.layers) == 0:
            raise ValueError("layers is empty: name at least one layer of the module.")
        inputs = np.stack([self._test_input()])
        shapes = [getattr(value, "shape", None) for value in self.module.state_dict().values()]
        looks = f"{self.module} {shapes} {list(self.layers)} {inputs.shape} {self._pool_state()}"
        if self._probed[0] != looks:  # one pass for all calls that find the module as it was
            outputs = self._outputs(network, inputs, len(self.layers))
            self._probed = looks, [features.shape[1] for features in outputs]
        return self._probed[1]

    _probed = None, None

    def _pool_state(self):
        return _state_of_function(self.pool) if callable(self.pool) else self.pool

    def _outputs(self, network, inputs, n_layers):
        """Features of layers, deepest first."""
        inputs = on_device(inputs, network.device)
        parameter = next(network.module.parameters(), inputs)
        if inputs.is_floating_point():
            inputs = inputs.to(parameter.dtype)
        deepest_first = list(self.layers)[::-1][:n_layers]
        return hooked_features(network.module, inputs, deepest_first, self.pool, self.precision)

    def expect_fingerprint(self, fingerprint: str | None) -> None:
        """Nothing: the module is the caller's own, in this process, and in no saved file.

        Parameters
        ----------
        fingerprint : str or None
            Ignored.
        """

    def _preprocessed(self, picture):
        result = as_array(self.preprocess(picture))
        if result.dtype.kind not in "biuf":
            raise TypeError("it does not give an array or tensor of numbers")
        return result

    def _decode(self, image, position):
        picture = read_image(image, position)
        try:
            return self._preprocessed(picture)
        except Exception as error:  # of many kinds
            raise ImageReadError(position, f"preprocess fails: {error!r}") from error

    def _test_input(self):
        """What `preprocess` makes of noise, always the same."""
        pixels = np.random.RandomState(0).randint(0, 256, (240, 320, 3), dtype=np.uint8)
        try:
            return self._preprocessed(Image.fromarray(pixels))
        except Exception as error:  # of many kinds
            raise ValueError(
                f"preprocess fails on a test picture of 320 x 240 pixels: {error!r}"
            ) from error

    def _space(self, network):
        seen = self._test_input()
        preprocessed = blake2b(np.ascontiguousarray(seen), digest_size=16).hexdigest()
        module = architecture(network.module, (int, float, bool, str, type(None)))
        weights = f"{network.digest} {module} {list(self.layers)}"
        pool = self._pool_state()
        return f"{weights} {seen.dtype} {seen.shape} {preprocessed} {pool} {self.precision}"

    def _batches(self, network, images, positions):
        return decoded_batches(
            images, positions, self._decode, self.batch_size, device=network.device
        )

    def _launch(self, network, inputs, n_layers):
        import torch

        return torch.cat(self._outputs(network, inputs, n_layers), dim=1)

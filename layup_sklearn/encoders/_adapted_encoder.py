"""First-session adaptation: a few new parameters learn the first task, then all is frozen."""

from collections.abc import Iterable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._typing import Samples, Transformer
from .._validation import Interval, StrOptions
from ._adapted_network import Adapted
from ._first_task import adapt, check_classes_of_images, split_rows
from ._image_encoder import ImageEncoder


class AdaptedImageEncoder(ClassNamePrefixFeaturesOutMixin, Transformer, BaseEstimator):
    """An ImageEncoder whose network its first task has adapted.

    `fit` trains a few new parameters in a copy of a frozen vision transformer to tell the
    classes of X apart (first-session adaptation); from then on everything is frozen and
    `transform` is that of `encoder` with the adapted network. ``LayUPClassifier(AdaptedImageEncoder())``
    fits it on the first call of ``partial_fit`` alone.

    Parameters
    ----------
    encoder : ImageEncoder, default=None
        Of a timm ``VisionTransformer``; None is ``ImageEncoder()``. What it says of layers, pooling,
        device, precision and batches holds for `transform`; its `memory` knows an adapted network
        from any other; its `verbose` also shows the epochs.
    method : {"adaptformer", "ssf", "vpt", "lora"}, default="adaptformer"
        The new parameters: a small network of width 64 beside every MLP; scale and shift of
        every layer's output; 10 prompt tokens in every block; a matrix of rank 8 on top
        of every block's query, key and value weights.
    epochs : int, default=20
        At most so many passes over the images.
    learning_rate : float, default=0.003
        Of AdamW in the first step; it falls along a cosine to 0 in the last one.
    validation_fraction : float, default=0.1
        Part of X, of all classes alike, that is not trained on and says which epoch is
        best. 0: train on everything and take the last epoch.
    patience : int, default=5
        Epochs without a better one that end the training.
    random_state : int, RandomState instance or None, default=None
        For held-out images, first values, order, augmentation and dropout. The same integer
        gives the same features on one machine; on an accelerator up to the rounding
        of its kernels. Fits in several threads take turns.

    Attributes
    ----------
    adapted_state_ : dict of str -> ndarray, float32
        What differs from the network without adaptation, under the names of its state
        dict: new parameters (AdaptFormer, VPT), or weights that took them in (SSF, LoRA).
    method_ : str
        The method of the fit.
    history_ : list of dict
        ``epoch``, ``loss``, ``validation_loss`` and ``validation_accuracy`` of every epoch.
    layer_sizes_ : list of int
        Widths of the layers in the order of the columns: deepest first.

    See Also
    --------
    ImageEncoder : The same without adaptation.
    LayUPClassifier : Learns from these features, task by task.

    Notes
    -----
    The recipe is that of LayUP ([1]_): a temporary head gives logits 30 cos(f(x), w_c), with
    f the network's usual output; cross-entropy, AdamW with weight decay 5e-4, batches of
    48, random crops (70 to 100 % of the area), horizontal flips, colours within 10 %. Pictures are
    decoded once and held as bytes (200 KB each at 224 pixels). With a folder as the encoder's
    `memory` and an integer as `random_state`, a fit that was interrupted goes on after its last
    epoch. With ``precision="bfloat16"``, as on CUDA by default, training runs under autocast. The
    network of `encoder`, which others may share, is never changed. A fit that fails or is
    interrupted leaves the encoder as it was.

    References
    ----------
    .. [1] Ahrens, Lehmann, Lee, Wermter, "Read Between the Layers", TMLR 2024, arXiv:2312.08888.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn import AdaptedImageEncoder, ImageEncoder
    >>> images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    >>> frozen = ImageEncoder("test_vit", pretrained=False, image_size=32, n_layers=2)
    >>> encoder = AdaptedImageEncoder(frozen, method="lora", epochs=1)
    >>> encoder.fit(images, ["cat", "dog"] * 4).transform(images).shape
    (8, 128)
    >>> sorted(encoder.adapted_state_)[0]
    'blocks.0.attn.qkv.weight'
    """

    adapted_state_: dict[str, NDArray[np.float32]]
    method_: str
    history_: list[dict[str, float]]
    _parameter_constraints = {
        "encoder": [None, ImageEncoder],
        "method": [StrOptions({"adaptformer", "ssf", "vpt", "lora"})],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        encoder: ImageEncoder | None = None,
        *,
        method: Literal["adaptformer", "ssf", "vpt", "lora"] = "adaptformer",
        epochs: int = 20,
        learning_rate: float = 0.003,
        validation_fraction: float = 0.1,
        patience: int = 5,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.encoder = encoder
        self.method = method
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state

    as_samples = staticmethod(ImageEncoder.as_samples)
    _n_features_out = ImageEncoder._n_features_out
    _expected_fingerprint = None

    @classmethod
    def of_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """From parameters of a file; those of files of format 1 held all of ImageEncoder's.

        Parameters
        ----------
        parameters : dict
            By name.

        Returns
        -------
        encoder : AdaptedImageEncoder
            Not fitted.
        """
        own = cls().get_params(deep=False).keys() & parameters.keys()
        others = {name: value for name, value in parameters.items() if name not in own}
        encoder = {"encoder": ImageEncoder(**others)} if others else {}
        return cls(**{name: parameters[name] for name in own}, **encoder)

    def fit(self, X: Samples, y: ArrayLike | None = None) -> Self:
        """Adapt the network to a first task.

        Parameters
        ----------
        X : list, ndarray, tensor, pandas Series or one-column DataFrame
            Images, see `transform`.
        y : array-like of shape (n_images,)
            Labels of at least two classes.

        Returns
        -------
        self : AdaptedImageEncoder
            The same object, adapted.

        Raises
        ------
        ValueError
            For parameters that do not fit each other or the network, an image that cannot
            be read, labels that cannot be learned, or a loss that grows without bound.
        OSError
            For weights that cannot be had.
        ImportError
            Where torch or timm is missing.
        """
        self._validate_params()
        frozen = self.encoder or ImageEncoder()
        base = frozen._network()
        layer_sizes, images = frozen._layer_sizes(base), self.as_samples(X)
        labels = check_classes_of_images(y, images)
        random_state = check_random_state(self.random_state)
        rows = split_rows(labels, self.validation_fraction, random_state)
        state, history = adapt(self, frozen, base, images, labels, rows, random_state)
        fitted = {"layer_sizes_": layer_sizes, "method_": self.method, "history_": history}
        fitted |= {"adapted_state_": state, "_expected_fingerprint": None}
        self.__dict__ = {**vars(self), **fitted}  # all or nothing
        return self

    def transform(self, X: Samples) -> NDArray[np.float32]:
        """Compute features of images with the adapted network.

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
        NotFittedError
            Before `fit`.
        """
        adapted = self._adapted()
        features, self.layer_sizes_ = adapted.transform(X), adapted.layer_sizes_
        return features

    def transform_chunks(
        self, chunks: Iterable[Samples], n_samples: int | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Features of one part of the images after the other.

        Parameters
        ----------
        chunks : iterable
            Each what `transform` takes.
        n_samples : int, default=None
            In all of them, for the progress bar.

        Returns
        -------
        features : iterator of ndarray
            See :meth:`ImageEncoder.transform_chunks`.
        """
        return self._adapted().transform_chunks(chunks, n_samples)

    def fingerprint(self) -> str:
        """Name of the space that the features live in.

        Returns
        -------
        fingerprint : str
            See :meth:`ImageEncoder.fingerprint`.
        """
        return self._adapted().fingerprint()

    def saved_fingerprint(self) -> str:
        """The fingerprint for a file; of an encoder out of a file that was not used, that one's.

        Returns
        -------
        fingerprint : str
            Hexadecimal digest.
        """
        return self._adapted().saved_fingerprint()

    def expect_fingerprint(self, fingerprint: str | None) -> None:
        """Refuse other features than those of a model, whenever the network is there.

        Parameters
        ----------
        fingerprint : str or None
            None: take any.
        """
        self._expected_fingerprint = fingerprint

    def _adapted(self):
        """An ImageEncoder with the parameters of now and the adapted network."""
        check_is_fitted(self)
        frozen = self.encoder or ImageEncoder()
        adapted = Adapted(**frozen.get_params(deep=False))
        adapted.adaptation = self.method_, self.adapted_state_
        adapted.expect_fingerprint(self._expected_fingerprint)
        adapted.last = vars(self).setdefault("_last", {})
        return adapted

    def __getstate__(self):
        return {name: value for name, value in super().__getstate__().items() if name != "_last"}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags = ImageEncoder().__sklearn_tags__().input_tags
        return tags

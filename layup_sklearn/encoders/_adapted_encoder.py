"""First-session adaptation: a few new parameters learn the first task, then all is frozen."""

import copy
import os
import warnings
from numbers import Integral, Real
from weakref import WeakKeyDictionary

import joblib
import numpy as np
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from .._validation import Interval, StrOptions
from ._base import DEFAULT_LAYERS
from ._image_encoder import ImageEncoder, normalised
from ._images import as_image_list
from ._torch import device_of, precision_on, random_numbers
from ._training import Training, TrainingSet

_networks = WeakKeyDictionary()  # adapted networks of the encoders in use, no part of them


def split_rows(y, fraction, random_state):
    """Rows to train on and a stratified part to hold out.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    fraction : float
        Of all samples, to be held out.
    random_state : RandomState

    Returns
    -------
    train, held_out : ndarray of int
        At least one sample of every class is in `train`, so `held_out` may be smaller than
        asked for, or empty.
    """
    order = random_state.permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    spare = order[1:][y[order][1:] == y[order][:-1]]  # all but one sample of every class
    n_held_out = min(int(np.ceil(fraction * len(y))), len(spare))
    spread = (np.arange(n_held_out) + 0.5) * len(spare) / max(n_held_out, 1)
    held_out = spare[spread.astype(int)]
    return np.setdiff1d(order, held_out), np.sort(held_out)


class AdaptedImageEncoder(ImageEncoder):
    """Pooled outputs of the last layers of a network that its first task has adapted.

    `fit` trains a few new parameters in a copy of a frozen vision transformer to tell the
    classes of X apart (first-session adaptation); from then on everything is frozen and
    `transform` is that of :class:`ImageEncoder`. ``LayUPClassifier(AdaptedImageEncoder())``
    fits it on the first call of ``partial_fit`` alone.

    Parameters
    ----------
    model : str, default="vit_base_patch16_224.augreg_in21k"
        Name of a timm ``VisionTransformer``, with its full tag.
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
    n_layers, pool, layer_norm, preprocessing, image_size, pretrained, checkpoint_path, \
device, precision, batch_size, memory, verbose : as in ImageEncoder
        See :class:`ImageEncoder`. `batch_size` is that of `transform`; `memory` knows an
        adapted network from any other; `verbose` also shows the epochs.

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
    decoded once, in threads, and held as bytes (200 KB each at 224 pixels); crops, flips and colours
    are made on the device. With a folder as `memory` and an integer as `random_state`, each epoch
    is saved there, and a fit that was interrupted goes on where it was. With
    ``precision="bfloat16"``, the default on CUDA, the network is trained in bfloat16 where that is
    safe (autocast): on a CPU with such instructions twice as fast.

    The network of `model`, which others may share, is never changed. A fit that fails or
    is interrupted leaves the encoder as it was.

    References
    ----------
    .. [1] Ahrens, Lehmann, Lee, Wermter, "Read Between the Layers", TMLR 2024,
       arXiv:2312.08888.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn import AdaptedImageEncoder
    >>> images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    >>> encoder = AdaptedImageEncoder(
    ...     "test_vit", method="lora", pretrained=False, image_size=32, n_layers=2, epochs=1
    ... )
    >>> encoder.fit(images, ["cat", "dog"] * 4).transform(images).shape
    (8, 128)
    >>> sorted(encoder.adapted_state_)[0]
    'blocks.0.attn.qkv.weight'
    """

    _parameter_constraints = {
        **ImageEncoder._parameter_constraints,
        "method": [StrOptions({"adaptformer", "ssf", "vpt", "lora"})],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        model="vit_base_patch16_224.augreg_in21k",
        *,
        method="adaptformer",
        epochs=20,
        learning_rate=0.003,
        validation_fraction=0.1,
        patience=5,
        random_state=None,
        n_layers=DEFAULT_LAYERS,
        pool="auto",
        layer_norm="auto",
        preprocessing="model",
        image_size=None,
        pretrained=True,
        checkpoint_path=None,
        device="auto",
        precision="auto",
        batch_size=64,
        memory=None,
        verbose=0,
    ):
        super().__init__(
            model,
            n_layers=n_layers,
            pool=pool,
            layer_norm=layer_norm,
            preprocessing=preprocessing,
            image_size=image_size,
            pretrained=pretrained,
            checkpoint_path=checkpoint_path,
            device=device,
            precision=precision,
            batch_size=batch_size,
            memory=memory,
            verbose=verbose,
        )
        self.method = method
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state

    def fit(self, X, y=None):
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
        base = super()._network()
        layer_sizes = self._layer_sizes(base)
        images = as_image_list(X)
        labels = _check_labels(y, images)
        random_state = check_random_state(self.random_state)
        rows = split_rows(labels, self.validation_fraction, random_state)

        import torch

        from ._adapters import ADAPTERS, merge

        network, preprocessing = copy.deepcopy(base), self._preprocessing(base)
        data = TrainingSet.read(images, labels, rows, preprocessing[0])
        with random_numbers(random_state.randint(np.iinfo(np.int32).max), device_of(base)):
            history = Training(
                network,
                ADAPTERS[self.method](network),
                data,
                preprocessing,
                normalised,
                epochs=self.epochs,
                learning_rate=self.learning_rate,
                patience=self.patience,
                precision=precision_on(device_of(base), self.precision),
                checkpoint=self._checkpoint(base, data),
                verbose=self.verbose,
            ).run()
        old, new = base.state_dict(), merge(network).state_dict()
        adapted_state = {
            name: value.float().cpu().numpy().copy()
            for name, value in new.items()
            if name not in old or not torch.equal(value, old[name])
        }
        vars(self).update(
            layer_sizes_=layer_sizes,
            method_=self.method,
            history_=history,
            adapted_state_=adapted_state,
        )
        return self

    def _checkpoint(self, base, data):
        """File for a training that would be the same in another run; None where there is none."""
        folder = getattr(self.memory, "location", self.memory)
        if folder is None or not isinstance(self.random_state, Integral):
            return None
        names = ("method", "epochs", "learning_rate", "patience", "random_state")
        parts = [self._space(base), *(getattr(self, name) for name in names), joblib.hash(data)]
        return os.path.join(os.fspath(folder), f"adaptation-{joblib.hash(parts)}.pt")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        tags.target_tags.required = True
        return tags

    def _network(self):
        check_is_fitted(self)
        base, state = super()._network(), self.adapted_state_
        *source, network = _networks.get(self, (None, None, None))
        if source[0] is not base or source[1] is not state:
            network = _adapted_network(base, self.method_, state)
            _networks[self] = base, state, network
        return network


def _adapted_network(base, method, state):
    """Copy of a network with adapted parameters."""
    import torch

    from ._adapters import ADAPTERS

    network = copy.deepcopy(base)
    if not state.keys() <= base.state_dict().keys():
        with random_numbers(0, device_of(base)):
            ADAPTERS[method](network)
    try:
        tensors = {name: torch.tensor(value) for name, value in state.items()}
        network.load_state_dict({**network.state_dict(), **tensors})
    except RuntimeError as error:
        raise ValueError(
            f"The adapted parameters do not fit the model, which has changed since: call fit "
            f"again. {error}"
        ) from error
    return network.eval().requires_grad_(False)


def _check_labels(y, images):
    """Numbers of the classes 0, 1, ..."""
    if y is None:
        raise ValueError(
            "This AdaptedImageEncoder estimator requires y to be passed, but the target y is "
            "None: it learns to tell classes apart."
        )
    y = column_or_1d(y, warn=True)
    check_consistent_length(images, y)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes")
        check_classification_targets(y)
    classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"y holds 1 class, {classes[0]!r}; adaptation learns to tell classes apart: let the "
            "first call hold at least two, or use ImageEncoder."
        )
    return labels

"""The layers that features consist of, and the encoders that make them."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self

from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ._samples import as_features
from ._typing import Transformer
from ._validation import Interval, check_features


class Layers(OneToOneFeatureMixin, Transformer, BaseEstimator):
    """Ready features that consist of layers.

    As the encoder of a :class:`LayUPClassifier` it says where each layer ends, so that `n_layers`, also
    "auto", chooses among the layers of features that were made elsewhere. It hands features on
    as they are.

    Parameters
    ----------
    sizes : list of int
        Numbers of columns of the layers, in the order of the columns: deepest first, so that fewer
        layers are the leading columns.

    Attributes
    ----------
    layer_sizes_ : list of int
        The same.

    See Also
    --------
    ImageEncoder : Makes such features from images.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from layup_sklearn import Layers, LayUPClassifier
    >>> X, y = load_digits(return_X_y=True)  # 8 rows of 8 pixels as "layers"
    >>> classifier = LayUPClassifier(Layers([8] * 8), n_layers="auto").fit(X, y)
    >>> classifier.n_layers_
    8
    """

    def __init__(self, sizes: Sequence[int]):
        self.sizes = sizes

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Check the number of columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : Layers
            The same object.

        Raises
        ------
        ValueError
            When `sizes` are not positive whole numbers that add up to the number of columns.
        """
        sizes, whole = list(self.sizes), Interval(Integral, 1, None, closed="left")
        if not all(whole.is_satisfied_by(size) for size in sizes):
            raise ValueError(f"sizes={self.sizes!r} must be positive whole numbers.")
        X = check_features(self, as_features(X), reset=True)
        if sum(sizes) != X.shape[1]:
            raise ValueError(
                f"sizes={self.sizes!r} add up to {sum(sizes)} columns, but X has {X.shape[1]}."
            )
        self.layer_sizes_ = sizes
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Hand features on.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The same.

        Raises
        ------
        ValueError
            For another number of columns than in `fit`.
        """
        check_is_fitted(self)
        return check_features(self, as_features(X), reset=False)

    def fingerprint(self) -> str:
        """Name of the space that the features live in.

        Returns
        -------
        fingerprint : str
            The sizes: nothing else is known.
        """
        return str(self.layer_sizes_)


def layer_sizes(encoder):
    """Numbers of columns of the layers that a fitted encoder gives; None where it does not say.

    Parameters
    ----------
    encoder : transformer
        Of a Pipeline its last step counts.
    """
    last = encoder[-1] if isinstance(encoder, Pipeline) else encoder
    return getattr(last, "layer_sizes_", None)


def check_n_layers(n_layers, sizes, encoder):
    """Raise where layers are wanted that the features do not have.

    Parameters
    ----------
    n_layers : int, "auto" or None
    sizes : list of int or None
        Of the layers, where they are known.
    encoder : fitted transformer or None
    """
    if n_layers == "auto" and sizes is None:
        by = "X" if encoder is None else f"this {type(encoder).__name__}"
        raise ValueError(
            f"n_layers='auto' chooses among layers, and {by} says of none (layer_sizes_): "
            "give an encoder of this package, alone or as last step of a Pipeline, or Layers(sizes) "
            "for ready features."
        )
    n_given = len(sizes or [None])
    if isinstance(n_layers, Integral) and n_layers > n_given:
        raise ValueError(
            f"n_layers={n_layers}, but the features come in {n_given} "
            "layer(s); lower it, or give an encoder with more layers."
        )


def new_encoder(encoder, n_layers):
    """What an `encoder` parameter stands for, not fitted.

    Parameters
    ----------
    encoder : transformer, or name of a network for images
    n_layers : int, "auto" or None
        A network by name makes no more of them.
    """
    if isinstance(encoder, type):
        raise TypeError(f"encoder is the class {encoder.__name__}: give an object.")
    if not isinstance(encoder, str):
        return clone(encoder)
    from .encoders import ImageEncoder

    layers = {"n_layers": n_layers} if isinstance(n_layers, Integral) else {}
    return ImageEncoder(encoder, **layers)


def encoder_name(encoder) -> str | None:
    """Its class and, where it has one by name, its network; None for ready features."""
    if encoder is None:
        return None
    model = getattr(getattr(encoder, "encoder", encoder), "model", None)  # or of one that adapts it
    return f"{type(encoder).__name__} {model}" if isinstance(model, str) else type(encoder).__name__

"""Which layers of a network, and which patches of an image, speak for a class.

Scores are linear in the features, so that they are sums over layers, and over the positions that a
layer is the mean of: exactly, without gradients or perturbed images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ._displays import _axes
from ._typing import Samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from ._classifier import LayUPClassifier

__all__ = ["ExplanationDisplay", "PatchContributions", "layer_contributions", "patch_contributions"]


class _Scores(NamedTuple):
    """Scores (x - reference) coef' + baseline, and where the layers of x lie."""

    coef: np.ndarray
    reference: np.ndarray
    baseline: np.ndarray
    layers: list

    def by_layer(self, X):
        """(n_samples, n_layers, n_classes) of rows."""
        X = X - self.reference
        return np.stack([X[:, part] @ self.coef[:, part].T for part in self.layers], axis=1)


def _scores_of(classifier):
    """Model, solution and scores of a classifier."""
    model, solution = classifier._solved()
    rule = solution.with_priors(classifier.priors, model.statistics.classes)
    seen, d = solution.seen, rule.coef.shape[1]
    reference = (model.class_sum[seen, :d] / model.class_count[seen, np.newaxis]).mean(axis=0)
    baseline = rule.scores(reference[np.newaxis], seen)[0]
    baseline = np.maximum(baseline, np.finfo(np.float64).min)  # of a class of share 0
    ends = model.layer_ends[: solution.n_layers]
    layers = [slice(*between) for between in zip([0, *ends], ends)]
    return model, solution, _Scores(rule.coef, reference, baseline, layers)


def layer_contributions(
    classifier: LayUPClassifier, X: Samples
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each layer adds to the score of each class.

    Parameters
    ----------
    classifier : LayUPClassifier
        Fitted, on any features; ready features are one layer, or those of `Layers`.
    X : array-like of shape (n_samples, n_features), or what the encoder takes
        Samples to explain.

    Returns
    -------
    contributions : ndarray of shape (n_samples, n_layers, n_classes)
        Deepest layer first, classes in the order of `classes_`; 0 for classes without samples.
    baseline : ndarray of shape (n_classes,)
        Scores of the reference, with the classes' shares. ``contributions.sum(axis=1) + baseline``
        is `decision_function`; of two classes, that gives the second less the first.

    See Also
    --------
    patch_contributions : What each part of an image adds.
    ExplanationDisplay : Picture of both.

    Notes
    -----
    A score is f_c(x) = w_c x + b_c, with the columns of x in layers l. With the reference r, the
    mean of the means of all classes that were seen::

        f_c(x) = sum_l w_cl (x_l - r_l) + f_c(r)

    Without a reference the mean of the features, which tells nothing, would speak loudest. Only
    differences between classes tell why one was answered and not another: what is common to all
    classes changes no answer.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from layup_sklearn import Layers, LayUPClassifier
    >>> from layup_sklearn.explanation import layer_contributions
    >>> X, y = load_digits(return_X_y=True)  # 8 rows of 8 pixels as "layers"
    >>> classifier = LayUPClassifier(Layers([8] * 8)).fit(X, y)
    >>> contributions, baseline = layer_contributions(classifier, X)
    >>> contributions.shape
    (1797, 8, 10)
    >>> scores = contributions.sum(axis=1) + baseline
    >>> bool(abs(scores - classifier.decision_function(X)).max() < 1e-9)
    True
    """
    model, solution, scores = _scores_of(classifier)
    parts = [scores.by_layer(rows) for rows in classifier._leading(X, model, solution)]
    return np.concatenate(parts), scores.baseline


@dataclass(frozen=True, eq=False)
class PatchContributions:
    """What each part of an image adds to the score of each class.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels.
    maps : list of ndarray of shape (height, width, n_classes)
        One a layer, deepest first, at the positions of its own grid.
    spread : ndarray of shape (n_layers, n_classes)
        What the standard deviations over the positions add, which are no sums over them; 0 where
        the pooling has none.
    baseline : ndarray of shape (n_classes,)
        As `layer_contributions` gives it.
    picture : ndarray of shape (height, width, 3), uint8
        The image as the network saw it, resized and cropped.

    Attributes
    ----------
    layers : ndarray of shape (n_layers, n_classes)
        Sums of the maps, and the spread: what `layer_contributions` gives.

    See Also
    --------
    patch_contributions : Makes them.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn.explanation import PatchContributions
    >>> maps = [np.ones((2, 2, 3)), np.ones((4, 4, 3))]
    >>> picture = np.zeros((8, 8, 3), np.uint8)
    >>> PatchContributions(np.arange(3), maps, np.zeros((2, 3)), np.zeros(3), picture).layers
    array([[ 4.,  4.,  4.],
           [16., 16., 16.]])
    """

    classes: np.ndarray
    maps: list
    spread: np.ndarray
    baseline: np.ndarray
    picture: np.ndarray

    @property
    def layers(self) -> NDArray[np.float64]:
        return np.array([each.sum(axis=(0, 1)) for each in self.maps]) + self.spread


def patch_contributions(classifier: LayUPClassifier, image: object) -> PatchContributions:
    """What each part of an image adds to the score of each class.

    Parameters
    ----------
    classifier : LayUPClassifier
        Fitted, with an `ImageEncoder` or `AdaptedImageEncoder` that pools by means ("avg" or
        "avg+std").
    image : path, PIL image, array or tensor
        One image.

    Returns
    -------
    contributions : PatchContributions
        The sum of its maps, its spread and its baseline is `decision_function`, up to the
        rounding of the encoder's float32.

    Raises
    ------
    ValueError
        When the columns are no means over positions: with ``pool="token"``, and with encoders
        other than these two.

    See Also
    --------
    layer_contributions : The sums over all positions, of many samples.
    ExplanationDisplay : Picture of them.

    Notes
    -----
    With the states h_lp of layer l at P positions, x_l is the mean of h_lp, and position p adds::

        w_cl (h_lp - r_l) / P

    Where layers are standardised, h_lp are less the mean of the layer's vector, over its standard
    deviation, which the whole image gives: given these two numbers the sum is exact. A position
    of a deep layer has seen much of the image: what a patch adds is what the network says
    there, not what the pixels there would say alone.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn import ImageEncoder, LayUPClassifier
    >>> from layup_sklearn.explanation import patch_contributions
    >>> images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    >>> encoder = ImageEncoder("test_vit", pretrained=False, image_size=32, n_layers=2)
    >>> classifier = LayUPClassifier(encoder, ridge=1.0).fit(images, ["cat", "dog"] * 2)
    >>> [each.shape for each in patch_contributions(classifier, images[0]).maps]
    [(2, 2, 2), (2, 2, 2)]
    """
    from .encoders._maps import maps_of_image

    model, _, scores = _scores_of(classifier)
    found, picture = maps_of_image(model.encoder, image)
    maps, spread = [], []
    for (states, rest), part in zip(found, scores.layers):
        height, width, n_means = states.shape
        reference, coef = scores.reference[part], scores.coef[:, part].T
        maps.append((states - reference[:n_means]) @ coef[:n_means] / (height * width))
        spread.append((rest - reference[n_means:]) @ coef[n_means:])
    classes = model.statistics.classes
    return PatchContributions(classes, maps, np.array(spread), scores.baseline, picture)


class ExplanationDisplay:
    """An image, which parts of it speak for one class against another, and which layers.

    Parameters
    ----------
    picture : ndarray of shape (height, width, 3), uint8
        What the network saw.
    maps : list of ndarray of shape (height, width)
        What the positions of each layer add to the score of `label` less that of `against`.
    spread : ndarray of shape (n_layers,)
        What the standard deviations of each layer add.
    baseline : float
        What the reference and the classes' shares add.
    label, against : label
        The two classes.

    Attributes
    ----------
    axes_ : ndarray of 3 matplotlib Axes
        Image, heat map, layers.
    heat_ : ndarray of shape (height, width)
        Sum of the maps on the finest of their grids: the sum of all its entries is theirs.
    im_ : matplotlib AxesImage
        Of the heat map.
    bars_ : list of matplotlib BarContainer
        Sums of the maps; the spread, where there is one.
    figure_ : matplotlib Figure

    See Also
    --------
    patch_contributions : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn.explanation import ExplanationDisplay
    >>> picture, maps = np.zeros((8, 8, 3), np.uint8), [np.ones((2, 2)), np.ones((4, 4))]
    >>> display = ExplanationDisplay(
    ...     picture, maps, np.zeros(2), 0.5, label="cat", against="dog"
    ... )
    >>> float(display.plot().heat_.sum())  # doctest: +SKIP
    20.0
    """

    def __init__(
        self,
        picture: NDArray[np.uint8],
        maps: Sequence[NDArray[np.float64]],
        spread: NDArray[np.float64],
        baseline: float,
        *,
        label: object,
        against: object,
    ) -> None:
        self.picture = picture
        self.maps = maps
        self.spread = spread
        self.baseline = baseline
        self.label = label
        self.against = against

    @classmethod
    def from_estimator(
        cls,
        estimator: LayUPClassifier,
        image: object,
        *,
        label: Any = None,
        against: Any = None,
        axes: Sequence[Axes] | None = None,
        cmap: str | Colormap = "RdBu_r",
    ) -> Self:
        """Explain one answer.

        Parameters
        ----------
        estimator : LayUPClassifier
            As in :func:`patch_contributions`, with two classes or more.
        image : path, PIL image, array or tensor
            One image.
        label : label, default=None
            Class that is explained. None: the one that is answered; with `against` given, of the
            others.
        against : label, default=None
            Class that it is compared with. None: the best of the others.
        axes : sequence of 3 matplotlib Axes, default=None
            None: of a new figure.
        cmap : str or matplotlib Colormap, default="RdBu_r"
            Colours, of parts that speak against `label` to parts that speak for it.

        Returns
        -------
        display : ExplanationDisplay
            Drawn.

        Raises
        ------
        ValueError
            When a label is not among the classes that can be answered.
        """
        found = patch_contributions(estimator, image)
        labels, scores = found.classes.tolist(), found.layers.sum(axis=0) + found.baseline
        other = _best(scores, labels, against) if against is not None else None
        first = _best(scores, labels, label, other)
        second = _best(scores, labels, against, first)
        maps = [each[..., first] - each[..., second] for each in found.maps]
        spread, baseline = (x[..., first] - x[..., second] for x in (found.spread, found.baseline))
        names = {"label": labels[first], "against": labels[second]}
        return cls(found.picture, maps, spread, baseline, **names).plot(axes=axes, cmap=cmap)

    def plot(self, *, axes: Sequence[Axes] | None = None, cmap: str | Colormap = "RdBu_r") -> Self:
        """Draw.

        Parameters
        ----------
        axes : sequence of 3 matplotlib Axes, default=None
            None: of a new figure.
        cmap : str or matplotlib Colormap, default="RdBu_r"
            Colours, of parts that speak against `label` to parts that speak for it.

        Returns
        -------
        self : ExplanationDisplay
            The same object.
        """
        self.axes_ = _three_axes() if axes is None else np.asarray(axes)
        self.figure_ = self.axes_[0].figure
        self.heat_ = _on_finest_grid(self.maps)
        shown, heat, layers = self.axes_
        shown.imshow(self.picture)
        shown.set_title("what the network sees")
        self.im_ = self._plot_heat(heat, cmap)
        self._plot_layers(layers)
        return self

    def _plot_heat(self, ax, cmap):
        height, width = self.picture.shape[:2]
        ax.imshow(self.picture.mean(axis=2), cmap="gray", vmin=-255, vmax=255)  # pale
        most = np.abs(self.heat_).max() or 1.0
        ax.set_title(f"for {self.label} (red), for {self.against} (blue)")
        for each in self.axes_[:2]:
            each.set(xticks=[], yticks=[])
        return ax.imshow(
            self.heat_,
            cmap=cmap,
            vmin=-most,
            vmax=most,
            alpha=0.7,
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            interpolation="bilinear",
        )

    def _plot_layers(self, ax):
        means = np.array([each.sum() for each in self.maps])
        places = np.arange(len(means) + 1)
        self.bars_ = [ax.barh(places, [*means, self.baseline], 0.4, color="0.3", label="positions")]
        if self.spread.any():
            spread = ax.barh(places[:-1] + 0.4, self.spread, 0.4, color="0.7")
            spread.set_label("spread over them")
            self.bars_.append(spread)
            ax.legend()
        names = [f"layer {i + 1}" for i in range(len(means))]
        ax.set_yticks(places, ["layer 1, deepest", *names[1:], "shares, reference"])
        ax.invert_yaxis()
        ax.axvline(0, color="black", linewidth=0.8)
        total = means.sum() + self.spread.sum() + self.baseline
        ax.set_title(f"score of {self.label} less {self.against}: {total:.1f}")


def _best(scores, labels, label, other=None):
    """Position of a label, or of the largest score apart from another one."""
    able = scores > np.finfo(np.float64).min
    if label is None:
        able = able & (np.arange(len(labels)) != other)
        if not able.any():
            raise ValueError("A score is explained against another: learn two classes at least.")
        return int(np.where(able, scores, -np.inf).argmax())
    if label not in labels or not able[labels.index(label)]:
        raise ValueError(f"Label {label!r} is not among the classes that can be answered.")
    return labels.index(label)


def _three_axes():
    figure = _axes(None).figure
    figure.clear()  # of the only axes that it came with
    figure.set_size_inches(12, 3.6)
    figure.set_layout_engine("constrained")
    return figure.subplots(1, 3, width_ratios=(1, 1, 1.4))


def _on_finest_grid(maps):
    """Sum of maps, each spread evenly over its own positions, so that sums stay."""
    shape = max(each.shape for each in maps)

    def overlap(fine, coarse):
        """Which part of each coarse interval lies in each fine one, (fine, coarse)."""
        i, j = np.arange(fine), np.arange(coarse)
        low = np.maximum.outer(i / fine, j / coarse)
        high = np.minimum.outer((i + 1) / fine, (j + 1) / coarse)
        return np.clip(high - low, 0, None) * coarse

    rows, columns = shape
    return sum(overlap(rows, len(m)) @ m @ overlap(columns, m.shape[1]).T for m in maps)

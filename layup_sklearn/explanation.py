"""Which layers of a network, patches of an image and tokens of a text speak for a class.

Scores are linear in the features, so that they are sums over layers, and over the positions that a
layer is the mean of: exactly, without gradients or perturbed images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ._contributions import (
    PatchContributions,
    TokenContributions,
    layer_contributions,
    patch_contributions,
    token_contributions,
)
from ._displays import _axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from ._classifier import LayUPClassifier

__all__ = [
    "ExplanationDisplay",
    "PatchContributions",
    "TokenContributions",
    "layer_contributions",
    "patch_contributions",
    "token_contributions",
]


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
            When a label is not among the classes that can be answered, or both are the same.
        """
        if label is not None and label == against:
            raise ValueError(
                f"label and against are both {label!r}: explain one class against another."
            )
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

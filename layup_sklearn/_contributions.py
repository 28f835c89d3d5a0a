"""Which layers of a network, which patches of an image and which tokens of a text speak for a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._typing import Samples

if TYPE_CHECKING:
    from ._classifier import LayUPClassifier


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

    def by_position(self, maps):
        """(..., n_classes) for each of LayerMap, and what is not a mean, (n_layers, n_classes)."""
        places, rests = [], []
        for (states, rest), part in zip(maps, self.layers):
            n_means, n_positions = states.shape[-1], np.prod(states.shape[:-1])
            reference, coef = self.reference[part], self.coef[:, part].T
            places.append((states - reference[:n_means]) @ coef[:n_means] / n_positions)
            rests.append((rest - reference[n_means:]) @ coef[n_means:])
        return places, np.array(rests)


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
    token_contributions : What each token of a text adds.
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
        What the standard deviations over the positions add, which are not sums over them; 0 where
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
        When the columns are not means over positions: with ``pool="token"``, and with encoders
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
    maps, spread = scores.by_position(found)
    return PatchContributions(model.statistics.classes, maps, spread, scores.baseline, picture)


@dataclass(frozen=True, eq=False)
class TokenContributions:
    """What each token of a text adds to the score of each class.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels.
    tokens : list of str
        As the network's tokenizer writes them, special ones and all, as far as the network saw
        the text.
    values : ndarray of shape (n_layers, n_tokens, n_classes)
        Deepest layer first.
    spread : ndarray of shape (n_layers, n_classes)
        What the standard deviations over the tokens add, which are not sums over them; 0 where
        the pooling has none.
    baseline : ndarray of shape (n_classes,)
        As `layer_contributions` gives it.

    Attributes
    ----------
    layers : ndarray of shape (n_layers, n_classes)
        Sums over the tokens, and the spread: what `layer_contributions` gives.

    See Also
    --------
    token_contributions : Makes them.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn.explanation import TokenContributions
    >>> values = np.ones((2, 4, 3))
    >>> TokenContributions(
    ...     np.arange(3), ["[CLS]", "good", "night", "[SEP]"], values, np.zeros((2, 3)), np.zeros(3)
    ... ).layers
    array([[4., 4., 4.],
           [4., 4., 4.]])
    """

    classes: np.ndarray
    tokens: list[str]
    values: np.ndarray
    spread: np.ndarray
    baseline: np.ndarray

    @property
    def layers(self) -> NDArray[np.float64]:
        return self.values.sum(axis=1) + self.spread


def token_contributions(classifier: LayUPClassifier, text: str) -> TokenContributions:
    """What each token of a text adds to the score of each class.

    Parameters
    ----------
    classifier : LayUPClassifier
        Fitted, with a `TextEncoder` that pools by means ("avg" or "avg+std").
    text : str
        One text, with one token at least.

    Returns
    -------
    contributions : TokenContributions
        The sum of its values, its spread and its baseline is `decision_function`, up to the
        rounding of the encoder's float32.

    Raises
    ------
    ValueError
        When the columns are not means over tokens: with ``pool="token"``, and with other encoders.

    See Also
    --------
    patch_contributions : The same of images, with the algebra.
    layer_contributions : The sums over all tokens, of many samples.

    Examples
    --------
    >>> from layup_sklearn import LayUPClassifier, TextEncoder
    >>> from layup_sklearn.explanation import token_contributions
    >>> texts, y = ["goal in the last minute", "rates were raised"], ["sport", "economy"]
    >>> classifier = LayUPClassifier(TextEncoder()).fit(texts, y)  # doctest: +SKIP
    >>> found = token_contributions(classifier, "a late goal")  # doctest: +SKIP
    >>> for_sport = (found.values[..., 1] - found.values[..., 0]).sum(axis=0)  # doctest: +SKIP
    >>> list(zip(found.tokens, for_sport.round(1).tolist()))  # doctest: +SKIP
    [('[CLS]', -0.0), ('a', 0.1), ('late', 0.0), ('goal', 0.3), ('[SEP]', 0.2)]
    """
    from .encoders._maps import maps_of_text

    model, _, scores = _scores_of(classifier)
    found, tokens = maps_of_text(model.encoder, text)
    values, spread = scores.by_position(found)
    classes = model.statistics.classes
    return TokenContributions(classes, tokens, np.array(values), spread, scores.baseline)

"""The linear classifier that follows from a model and the parameters of the readout."""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ._carried import TooHeavy
from ._choice import ABOVE, choose_by_evidence
from ._layers import check_n_layers, layer_sizes
from ._model import Model
from ._readout import (
    LinearRule,
    familiarity,
    label_probabilities,
    log_probabilities,
    with_shares,
    without_absent,
)
from ._ridge import SINGULAR, Evidence, smallest_safe_ridge
from ._rules import linear_rule
from ._temperature import noise_temperature

_REMEMBERED = 4  # solutions, for those who compare parameters on the same model
_MOST_CARRIED = 8  # factors of given candidates


class Settings(NamedTuple):
    """The parameters that a solution depends on.

    Attributes
    ----------
    n_layers : int, "auto" or None
    ridge : float or "auto"
    ridges : tuple of float or None
    by_folds : bool
    rule : {"ridge", "gaussian"}
    """

    n_layers: object
    ridge: object
    ridges: tuple | None
    by_folds: bool
    rule: str


@dataclass(frozen=True, eq=False)
class Solution:
    """The linear classifier of a model under some settings.

    Attributes
    ----------
    ridge : float
    n_layers : int
    rule : LinearRule
        Read-only; zero for classes without samples, and without the classes' shares.
    evidence : Evidence
        At this ridge and number of layers.
    tried : list of (n_layers, ridge, score)
    by_folds : bool
        Whether the scores are accuracies on folds.
    is_gaussian : bool
        Whether `rule` gives log densities.
    """

    ridge: float
    n_layers: int
    rule: LinearRule
    evidence: Evidence
    tried: list
    by_folds: bool
    is_gaussian: bool

    @property
    def seen(self):
        """Which classes have samples."""
        return self.evidence.class_count > 0

    def with_priors(self, priors, classes):
        """The rule of the seen classes' scores, with their shares where it knows them.

        Parameters
        ----------
        priors : None, "uniform" or mapping of label -> share
        classes : ndarray of shape (n_classes,)
        """
        in_answers = with_shares if self.is_gaussian else without_absent
        return in_answers(self.rule, priors, classes, self.evidence.class_count)

    @property
    def temperature(self):
        """What scores are divided by in the exponents of probabilities."""
        if self.is_gaussian:
            return 1.0
        return noise_temperature(self.evidence.noise_variance())

    def probabilities(self, scores):
        """Probabilities of the classes; 0 for those without samples."""
        return self._of_seen(label_probabilities, scores, 0)

    def log_probabilities(self, scores):
        """Logarithms of probabilities; -inf for classes without samples."""
        return self._of_seen(log_probabilities, scores, -np.inf)

    def _of_seen(self, function, scores, otherwise):
        values, seen = np.full_like(scores, otherwise), self.seen
        values[:, seen] = function(scores[:, seen], self.temperature)
        return values

    @property
    def scores(self):
        """All that was tried, as a structured array."""
        dtype = [("n_layers", int), ("ridge", float), ("score", float)]
        return np.array(self.tried, dtype=dtype)


def solution_of(model, settings):
    """What `solve` gives, remembered on the model for the last few settings."""
    solutions = model.memo.solutions
    if settings not in solutions:
        solution = solve(model, settings)
        for old in list(solutions)[: 1 - _REMEMBERED]:
            solutions.pop(old, None)  # None: another thread may have done it
        solutions[settings] = solution
        return solution
    return solutions[settings]


def familiarity_of(model, solution):
    """A function from rows of features in use to their `familiarity`."""
    factor, seen = model.solved_factor(solution), solution.seen
    coef = factor.coef(solution.rule.coef.shape[1])[seen]
    norms = np.einsum("ij,ij->i", coef, model.class_sum[seen, : coef.shape[1]])
    return lambda rows: familiarity(rows @ coef.T, factor.leverage(rows), norms)


def solve(model, settings):
    """The linear classifier that follows from a model.

    Parameters
    ----------
    model : Model
    settings : Settings

    Returns
    -------
    Solution

    Raises
    ------
    LinAlgError
        When every given ridge is too small.
    """
    columns = leading_columns(settings.n_layers, model)
    _warn_where_rounding_hides(model)
    # Leading blocks are read from a fresh factor, and of many candidates none is carried: each
    # holds a matrix of d x d.
    if len(columns) > 1 or len(settings.ridges or ()) > _MOST_CARRIED:
        return _solve(model.folded(), settings, columns)
    if settings.rule == "gaussian" and len(model.statistics.classes) > columns[0]:
        return _solve(model.folded(), settings, columns)  # which has the whole Gram matrix
    try:
        solution = _solve(model, settings, columns)
    except TooHeavy:
        return _solve(model.folded(), settings, columns)
    model.memo.keep_carried(columns[0], [ridge for _, ridge, _ in solution.tried])
    return solution


def _solve(model, settings, columns):
    choice, by_folds = _choice(model, settings, columns)
    factor = choice.factor or model.factor(choice.ridge, choice.n_features)
    evidence = factor.evidence(choice.n_features)
    n_layers = {end: n for n, end in enumerate(model.layer_ends, start=1)}
    return Solution(
        ridge=choice.ridge,
        n_layers=n_layers[choice.n_features],
        rule=linear_rule(
            settings.rule,
            factor,
            evidence,
            model.class_sum,
            model.statistics.gram,
            choice.n_features,
        ),
        evidence=evidence,
        tried=[(n_layers[d], ridge, score) for d, ridge, score in choice.scores],
        by_folds=by_folds,
        is_gaussian=settings.rule == "gaussian",
    )


def _choice(model, settings, columns):
    """A RidgeChoice, and whether it was made on folds.

    The Gaussian rule has a ridge not far above the scale of the features: its evidence is that
    of ridge regression, which asks for more where samples are few, and loses by it.
    """
    above = None if settings.rule == "gaussian" else ABOVE
    if settings.ridge != "auto":
        return choose_by_evidence(model, columns, (settings.ridge,), Model.factor), False
    choice = model.choice if settings.by_folds else None
    if choice is None:
        return choose_by_evidence(model, columns, settings.ridges, Model.factor, above), False
    if choice.n_features in columns:
        return choice, True
    # n_layers has changed since the folds: their ridge stays.
    return choose_by_evidence(model, columns, (choice.ridge,), Model.factor), False


def leading_columns(n_layers, model):
    """Numbers of leading columns to choose from.

    Parameters
    ----------
    n_layers : int, "auto" or None
    model : Model
    """
    check_n_layers(n_layers, layer_sizes(model.encoder), model.encoder)
    ends = model.layer_ends
    if n_layers == "auto":
        return ends
    return [ends[-1 if n_layers is None else n_layers - 1]]


def check_ridge(model, settings):
    """Raise where no given ridge is large enough for the sums.

    Costs a factorisation only where the ridges are so small that it could fail.
    """
    ridges = settings.ridges if settings.ridge == "auto" else (settings.ridge,)
    safe = smallest_safe_ridge(model.squared_norm, SINGULAR[model.statistics.gram.dtype.name])
    if ridges is not None and max(ridges) < safe:
        solution_of(model, settings)


def _warn_where_rounding_hides(model):
    """Of sums over samples of several classes; one constant column is legitimate, all of them are a mistake."""
    dtype, squares = model.statistics.gram.dtype.name, model.squared_norm
    scatter = squares - model.total**2 / model.n_samples
    hidden = (scatter <= SINGULAR[dtype] * squares).all() and squares.any()
    if hidden and model.n_samples > 1 and np.count_nonzero(model.class_count) > 1:
        warnings.warn(
            "No feature varies beyond the rounding of its squares, so that the sums tell no classes: "
            "subtract from the features what all samples have in common (StandardScaler)"
            f"{' or use float64' if dtype == 'float32' else ''}.",
            stacklevel=2,
        )

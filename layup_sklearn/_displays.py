"""Pictures of evaluations and of choices, in scikit-learn's Display style."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError
from sklearn.utils.validation import check_is_fitted

from ._layers import layer_sizes
from ._typing import Samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap


class AccuracyMatrixDisplay:
    """Picture of an accuracy matrix: row t, column i, accuracy on task i after task t.

    Parameters
    ----------
    accuracy_matrix : ndarray of shape (n_tasks, n_tasks)
        R[t, i], the accuracy on the test samples of task i after learning task t; NaN stays
        blank.
    task_names : list of str, default=None
        None: 1, 2, ...

    Attributes
    ----------
    ax_ : matplotlib Axes
    im_ : matplotlib AxesImage
    text_ : ndarray of shape (n_tasks, n_tasks), or None
        The matplotlib texts in the cells, None in blank ones.
    figure_ : matplotlib Figure

    See Also
    --------
    evaluate_continual : Measures the matrix.
    AccuracyCurvesDisplay : Mean accuracies of several methods.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn.evaluation import AccuracyMatrixDisplay
    >>> display = AccuracyMatrixDisplay(np.array([[1.0, np.nan], [0.9, 0.8]]))
    >>> display.plot().ax_.get_xlabel()  # doctest: +SKIP
    'tested on task'
    """

    def __init__(self, accuracy_matrix: ArrayLike, *, task_names: list[str] | None = None) -> None:
        self.accuracy_matrix = accuracy_matrix
        self.task_names = task_names

    @classmethod
    def from_result(
        cls, result: Any, *, task_names: list[str] | None = None, **plot_params: Any
    ) -> Self:
        """Plot the matrix of a :class:`ContinualResult`.

        Parameters
        ----------
        result : ContinualResult
            Of :func:`evaluate_continual`.
        task_names : list of str, default=None
            None: 1, 2, ...
        **plot_params : dict
            Parameters of :meth:`plot`.

        Returns
        -------
        display : AccuracyMatrixDisplay
            Drawn.
        """
        return cls(result.accuracy_matrix, task_names=task_names).plot(**plot_params)

    def plot(
        self,
        *,
        ax: Axes | None = None,
        cmap: str | Colormap = "viridis",
        include_values: bool = True,
        values_format: str = ".2f",
        xticks_rotation: float | str | None = None,
        colorbar: bool = True,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: of a new figure, which is larger for many tasks.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours, from the lowest accuracy (0.8 at most) to 1.
        include_values : bool, default=True
            Whether accuracies are written into the cells.
        values_format : str, default=".2f"
            How, as of :func:`format`; ".0%" is shorter.
        xticks_rotation : {"horizontal", "vertical"} or float, default=None
            Of the names below, in degrees. None: horizontal where they are short.
        colorbar : bool, default=True
            Whether the colours are explained.

        Returns
        -------
        self : AccuracyMatrixDisplay
            The same object.
        """
        matrix = np.asarray(self.accuracy_matrix)
        n_tasks = len(matrix)
        self.ax_ = _axes(ax, side=max(4.8, 0.42 * n_tasks + 1.5))
        self.figure_ = self.ax_.figure
        low = min(np.nanmin(matrix), 0.8)  # small losses look small
        self.im_ = self.ax_.imshow(matrix, cmap=cmap, vmin=low, vmax=1)
        self.text_ = self._written(matrix, values_format) if include_values else None
        names = range(1, n_tasks + 1) if self.task_names is None else self.task_names
        names = [str(name) for name in names]
        if xticks_rotation is None:
            xticks_rotation = "vertical" if sum(map(len, names)) > 40 else "horizontal"
        self.ax_.set_xticks(range(n_tasks), names, rotation=xticks_rotation)
        self.ax_.set_yticks(range(n_tasks), names)
        self.ax_.set(xlabel="tested on task", ylabel="after learning task")
        if colorbar:
            self.figure_.colorbar(self.im_, ax=self.ax_, label="accuracy", shrink=0.8)
        return self

    def _written(self, matrix, values_format):
        """The texts in the cells, None where one is blank: shape (n_tasks, n_tasks)."""
        texts = np.full(matrix.shape, None, dtype=object)
        for (t, i), accuracy in np.ndenumerate(matrix):
            if not np.isnan(accuracy):
                color = "white" if self.im_.norm(accuracy) < 0.6 else "black"
                place = {"ha": "center", "va": "center", "color": color}
                size = "small" if len(matrix) > 10 else "medium"
                text = format(accuracy, values_format)
                texts[t, i] = self.ax_.text(i, t, text, fontsize=size, **place)
        return texts


class AccuracyCurvesDisplay:
    """Accuracy on all tasks so far against the number of tasks, a curve for each method.

    Parameters
    ----------
    curves : dict of str to array-like of shape (n_tasks,) or (n_runs, n_tasks)
        Several runs are shown as their mean and one standard deviation.
    unit : str, default="tasks"
        What was learned between two points of a curve.

    Attributes
    ----------
    ax_ : matplotlib Axes
    lines_ : list of matplotlib Line2D
    figure_ : matplotlib Figure

    See Also
    --------
    evaluate_continual : Measures the accuracies.
    AccuracyMatrixDisplay : All accuracies of one result.

    Examples
    --------
    >>> from layup_sklearn.evaluation import AccuracyCurvesDisplay
    >>> display = AccuracyCurvesDisplay({"one run": [1.0, 0.9], "two": [[1.0, 0.8], [0.9, 0.7]]})
    >>> [line.get_label() for line in display.plot().lines_]  # doctest: +SKIP
    ['one run', 'two']
    """

    def __init__(self, curves: Mapping[str, ArrayLike], unit: str = "tasks") -> None:
        self.curves = curves
        self.unit = unit

    @classmethod
    def from_results(cls, results: Mapping[str, Any], *, ax: Axes | None = None) -> Self:
        """Plot the ``accuracy`` of some results.

        Parameters
        ----------
        results : dict of str to ContinualResult or PrequentialResult, or to a list of them
            By name of the method; a list holds its runs, of equally many tasks or samples.
        ax : matplotlib Axes, default=None
            None: of a new figure.

        Returns
        -------
        display : AccuracyCurvesDisplay
            Drawn.
        """
        runs = {
            name: list(runs) if isinstance(runs, (list, tuple)) else [runs]
            for name, runs in results.items()
        }
        curves = {name: np.array([run.accuracy for run in each]) for name, each in runs.items()}
        by_sample = any(hasattr(run, "n_seen") for each in runs.values() for run in each)
        return cls(curves, "samples" if by_sample else "tasks").plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: of a new figure.

        Returns
        -------
        self : AccuracyCurvesDisplay
            The same object.
        """
        self.ax_ = _axes(ax)
        self.figure_ = self.ax_.figure
        self.lines_ = []
        for name, runs in self.curves.items():
            runs = np.atleast_2d(runs)
            tasks, mean = np.arange(1, runs.shape[1] + 1), runs.mean(axis=0)
            marker = "." if len(tasks) <= 50 else None
            [line] = self.ax_.plot(tasks, mean, marker=marker, label=name)
            spread = runs.std(axis=0)
            self.ax_.fill_between(
                tasks, mean - spread, mean + spread, color=line.get_color(), alpha=0.15, lw=0
            )
            self.lines_.append(line)
        self.ax_.set(xlabel=f"{self.unit} learned", ylabel="accuracy on all of them")
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        self.ax_.legend()
        return self


class RidgePathDisplay:
    """What was tried in search of the ridge, and the point that was chosen.

    Parameters
    ----------
    scores : ndarray of shape (n_tried,), structured
        Fields ``n_layers``, ``ridge`` and ``score``, as ``LayUPClassifier.ridge_scores_``:
        a curve for each number of layers; -inf is left out.
    ridge : float
        The chosen ridge.
    n_layers : int
        The chosen number of layers.
    score_name : str, default="log evidence"
        What the scores are.

    Attributes
    ----------
    ax_ : matplotlib Axes
    lines_ : list of matplotlib Line2D
        Of increasing numbers of layers.
    chosen_ : matplotlib Line2D
        The line at the chosen ridge.
    figure_ : matplotlib Figure

    See Also
    --------
    LayerCountDisplay : Accuracy against the number of layers.
    sklearn.model_selection.ValidationCurveDisplay : Scores against any parameter.

    Notes
    -----
    The search by evidence takes few steps. Candidates of one's own draw a dense curve, and where
    the choice is by evidence they need no new fit:
    ``classifier.set_params(ridges=np.logspace(-3, 5, 50))``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from layup_sklearn import LayUPClassifier
    >>> from layup_sklearn.evaluation import RidgePathDisplay
    >>> classifier = LayUPClassifier().fit(*load_digits(return_X_y=True))
    >>> display = RidgePathDisplay.from_estimator(classifier)  # doctest: +SKIP
    >>> display.ax_.get_ylabel()  # doctest: +SKIP
    'log evidence'
    """

    def __init__(
        self,
        scores: NDArray[np.void],
        *,
        ridge: float,
        n_layers: int,
        score_name: str = "log evidence",
    ) -> None:
        self.scores = scores
        self.ridge = ridge
        self.n_layers = n_layers
        self.score_name = score_name

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> Self:
        """Plot what a classifier has tried.

        Parameters
        ----------
        estimator : LayUPClassifier
            Fitted.
        ax : matplotlib Axes, default=None
            None: of a new figure.

        Returns
        -------
        display : RidgePathDisplay
            Drawn.
        """
        by_folds = estimator._solved()[1].by_folds
        return cls(
            estimator.ridge_scores_,
            ridge=estimator.ridge_,
            n_layers=estimator.n_layers_,
            score_name="accuracy on the folds" if by_folds else "log evidence",
        ).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: of a new figure.

        Returns
        -------
        self : RidgePathDisplay
            The same object.
        """
        self.ax_ = _axes(ax)
        self.figure_ = self.ax_.figure
        from matplotlib import colormaps

        counts = np.unique(self.scores["n_layers"])
        colors = colormaps["viridis"](np.linspace(0, 0.9, len(counts)))
        ridges = self.scores["ridge"]
        if ridges.all():
            self.ax_.set_xscale("log")
        else:
            self.ax_.set_xscale("symlog", linthresh=ridges[ridges > 0].min(initial=1.0))
        self.lines_ = []
        for count, color in zip(counts, colors):
            tried = self.scores[self.scores["n_layers"] == count]
            tried = np.sort(tried[tried["score"] > -np.inf], order="ridge")
            [line] = self.ax_.plot(
                tried["ridge"],
                tried["score"],
                color=color,
                linewidth=2.5 if count == self.n_layers else 1,
                marker=".",
                label=str(count),
            )
            self.lines_.append(line)
        self.chosen_ = self.ax_.axvline(self.ridge, color="black", linestyle=":")
        self.ax_.set(xlabel="ridge (dotted: chosen)", ylabel=self.score_name)
        if len(counts) > 1:
            self.ax_.legend(title="layers", ncols=1 + len(counts) // 7)
        return self


class LayerCountDisplay:
    """Accuracy against the number of last layers, and what the evidence picks.

    Parameters
    ----------
    accuracy : array-like of shape (n_layers,)
        With 1, 2, ... layers; NaN leaves a gap.
    log_evidence : array-like of shape (n_layers,), default=None
        Likewise; the line is drawn at the largest, if one is finite.

    Attributes
    ----------
    ax_ : matplotlib Axes
    line_ : matplotlib Line2D
    chosen_ : matplotlib Line2D or None
        The line at the number of layers of largest evidence.
    figure_ : matplotlib Figure

    See Also
    --------
    RidgePathDisplay : Evidence against the ridge.
    LayUPClassifier : Chooses the number by evidence with ``n_layers="auto"``.

    Examples
    --------
    >>> from layup_sklearn.evaluation import LayerCountDisplay
    >>> display = LayerCountDisplay([0.8, 0.85, 0.84], log_evidence=[-90.0, -70.0, -75.0])
    >>> display.plot().chosen_.get_xdata()  # doctest: +SKIP
    [2, 2]
    """

    def __init__(self, accuracy: ArrayLike, *, log_evidence: ArrayLike | None = None) -> None:
        self.accuracy = accuracy
        self.log_evidence = log_evidence

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Samples, y: ArrayLike, *, ax: Axes | None = None
    ) -> Self:
        """Plot the accuracy of a classifier with fewer layers than it has seen.

        Parameters
        ----------
        estimator : LayUPClassifier
            Fitted, with an encoder that knows its layers. It stays as it is; each number of
            layers has the ridge of its own evidence, or the one that is fixed or that folds
            have chosen. A number with which the matrix is singular is left out.
        X : what the encoder takes
            Samples to test on; an encoder of this package sees them once.
        y : array-like of shape (n_samples,)
            Their labels.
        ax : matplotlib Axes, default=None
            None: of a new figure.

        Returns
        -------
        display : LayerCountDisplay
            Drawn.
        """
        estimator = _copy_that_embeds_once(estimator)
        n_most = len(layer_sizes(estimator.encoder_) or [None])
        accuracy, log_evidence = np.full(n_most, np.nan), np.full(n_most, -np.inf)
        for i in range(n_most):
            estimator.set_params(n_layers=i + 1)
            try:
                log_evidence[i] = estimator.log_evidence_
            except LinAlgError:
                continue
            accuracy[i] = estimator.score(X, y)
        return cls(accuracy, log_evidence=log_evidence).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: of a new figure.

        Returns
        -------
        self : LayerCountDisplay
            The same object.
        """
        self.ax_ = _axes(ax)
        self.figure_ = self.ax_.figure
        counts, self.chosen_ = range(1, len(self.accuracy) + 1), None
        [self.line_] = self.ax_.plot(counts, self.accuracy, marker=".")
        self.ax_.set(xlabel="last layers", ylabel="accuracy")
        if self.log_evidence is not None and np.isfinite(self.log_evidence).any():
            chosen = int(np.nanargmax(self.log_evidence)) + 1
            self.chosen_ = self.ax_.axvline(chosen, color="black", linestyle=":")
            self.ax_.set_xlabel("last layers (dotted: of largest evidence)")
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        return self


def _copy_that_embeds_once(estimator):
    """Shallow copy of a fitted classifier that solves, and keeps features, for itself."""
    from .encoders._memory import copied_with_memory

    check_is_fitted(estimator)
    return estimator._with_encoder(copied_with_memory(estimator.encoder_))


def _axes(ax, side=None):
    """`ax`, or the one of a new figure, whose height in inches may be given."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("Displays need matplotlib: pip install matplotlib.") from error
    size = {} if side is None else {"figsize": (side * 4 / 3, side), "layout": "constrained"}
    return plt.subplots(**size)[1]

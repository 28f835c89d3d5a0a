"""Ridge regression from the sums, and the choice of the ridge.

Notation: G = gram (d, d), C = class_sum (K, d), n = total sample weight, K = number of
classes seen, A = G + ridge I = L L' (Cholesky).
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, get_lapack_funcs

#: The 16 candidates of the paper (with ``cv=4``: its whole procedure).
PAPER_RIDGES = (*np.logspace(-4, 3, 15).tolist(), 1e-8)

# Part of a column's squared norm that rounding leaves four right digits of, or two: fewer, for
# useful ridges of single-precision sums lie lower.
_SINGULAR = {"float64": 1e-12, "float32": 1e-5}
_STEPS_PER_DECADE = 2  # of the search grid
_FIRST_STEP = 8  # four decades below the trace of G, above the maximum of most features
_HIGHEST_STEP = -8  # four decades above the trace of G: the limit of class sums
_FLAT = 1e-3  # log evidence per step: a plateau is not worth a smaller ridge
PRIOR_ERROR = 0.01  # squared error that labels are taken to have at least, in all


class RidgeFactor:
    """One Cholesky factorisation of G + ridge I, and all that follows from it.

    Parameters
    ----------
    statistics : ClassStatistics
    ridge : float
        Not negative.
    n_features : int, default=None
        Use the first columns only; None = all.

    Raises
    ------
    LinAlgError
        When the matrix is singular to working precision.

    Notes
    -----
    With Z = L^-1 C' (d, K), everything comes from L and Z::

        coef         = C A^-1 = (L^-T Z)'
        log det A    = 2 sum_i log L_ii
        tr(C A^-1 C') = sum Z^2

    The factor of the leading block of A is the leading block of L, and the same rows of
    Z belong to it: one factorisation serves every number of leading columns.
    """

    def __init__(self, statistics, ridge, n_features=None):
        d = statistics.n_features if n_features is None else n_features
        potrf, self._trtrs = get_lapack_funcs(("potrf", "trtrs"))
        A = np.array(statistics.joint_gram[:d, :d], dtype=np.float64, order="F")
        A[np.diag_indices(d)] += ridge
        squared_norm = A.diagonal().copy()
        self.lower, failed = potrf(A, lower=1, clean=0, overwrite_a=1)
        # L_ii^2 is what the columns before column i leave of its squared norm
        left = self.lower.diagonal() ** 2
        if failed or (left <= _SINGULAR[statistics.joint_gram.dtype.name] * squared_norm).any():
            raise LinAlgError(
                f"ridge={ridge:.3g} is too small: the Gram matrix of {d} features is "
                f"numerically singular; use ridge >= {smallest_safe_ridge(statistics):.1g}"
                " or ridge='auto'."
            )
        self.ridge = float(ridge)
        class_count = statistics.class_count
        self._seen = class_count > 0
        self._class_count = class_count[self._seen]
        self._n = class_count.sum()
        self.forward = self.whiten(statistics.class_sum[self._seen, :d]).T

    def whiten(self, X):
        """Rows in the basis where (G + ridge I)^-1 is the identity.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        whitened : ndarray of shape (n_samples, n_features)
            (L^-1 X')': inner products of its rows are those of X under (G + ridge I)^-1.
        """
        return self._trtrs(self.lower, X.T, lower=1)[0].T

    def coef(self, n_features=None):
        """Ridge coefficients of the first columns.

        Parameters
        ----------
        n_features : int, default=None
            None = all.

        Returns
        -------
        coef : ndarray of shape (n_classes, n_features)
            Zero for classes without samples.
        """
        d = len(self.lower) if n_features is None else n_features
        coef = np.zeros((len(self._seen), d))
        coef[self._seen] = self._trtrs(self.lower[:d, :d], self.forward[:d], lower=1, trans=1)[0].T
        return coef

    def log_evidence(self, n_features=None, prior_error=PRIOR_ERROR):
        """Log marginal likelihood of the one-hot labels, given the share of each class.

        Parameters
        ----------
        n_features : int or array-like of int, default=None
            Number(s) of leading columns; None = all.
        prior_error : float, default=0.01
            Squared error added to that of the samples: a weak prior against labels
            without noise.

        Returns
        -------
        log_evidence : float or ndarray of float

        Notes
        -----
        Every one-hot column y_c of the seen classes is N(b_c 1, s^2 V), V = I + X X' / ridge,
        with its own mean b_c of flat prior and one noise variance s^2 for all, at its
        maximum likelihood. The columns add up to 1, which b explains: K - 1 count, on the
        n - 1 contrasts of the samples (1, where weights add up to less than 2). With N the
        class counts and l = L^-1 X'1 = Z 1::

            p    = n - l'l                                                       (= 1' V^-1 1)
            quad = n - tr(C A^-1 C') - sum_c (N_c - l'Z_c)^2 / p + prior_error
            m    = (n - 1) (K - 1)        s^2 = quad / m
            -2 log p = m (log(2 pi s^2) + 1) + (K - 1) (log det A - d log ridge + log(p / n))

        so that the means cost no factorisation of their own. Without them a few samples of
        many classes are explained by the mean of the features, and the ridge comes out far
        too large. One class alone has nothing but its mean: b = 0 there. MacKay (1992), "Bayesian
        interpolation"; Rasmussen and Williams (2006), sections 2.7 and 5.4.
        """
        noise, left, n_free, n_targets = self._residual(n_features, prior_error)
        last = np.asarray(len(self.lower) if n_features is None else n_features) - 1
        with np.errstate(divide="ignore"):
            log_det = 2 * np.cumsum(np.log(self.lower.diagonal()))[last]
            log_det += np.log(left / self._n) - (last + 1) * np.log(self.ridge)
        return -0.5 * n_targets * (n_free * (np.log(2 * np.pi * noise) + 1) + log_det)

    def noise_variance(self, n_features=None, prior_error=PRIOR_ERROR):
        """Variance of the one-hot labels around what the features tell.

        Parameters
        ----------
        n_features : int or array-like of int, default=None
            Number(s) of leading columns; None = all.
        prior_error : float, default=0.01
            Squared error added to that of the samples.

        Returns
        -------
        noise_variance : float or ndarray of float
            s^2 in `log_evidence`, at its maximum likelihood.
        """
        return self._residual(n_features, prior_error)[0]

    def _residual(self, n_features, prior_error):
        """s^2, p and the two factors of m, in the terms of `log_evidence`."""
        last = np.asarray(len(self.lower) if n_features is None else n_features) - 1
        n, count, Z = self._n, self._class_count, self.forward
        n_free, n_targets, left = n, len(count), n
        quad = n - np.cumsum((Z**2).sum(axis=1))[last]
        if len(count) > 1:
            ones = Z.sum(axis=1)
            left = np.maximum(n - np.cumsum(ones**2)[last], n * np.finfo(np.float64).eps)
            means = count - np.cumsum(ones[:, np.newaxis] * Z, axis=0)[last]
            quad = quad - (means**2).sum(axis=-1) / left
            n_free, n_targets = max(n - 1, 1), len(count) - 1
        quad = np.maximum(quad, n * np.finfo(np.float64).eps) + prior_error
        return quad / (n_free * n_targets), left, n_free, n_targets


def smallest_safe_ridge(statistics):
    """A ridge at which the Cholesky factorisation is sure to succeed.

    Parameters
    ----------
    statistics : ClassStatistics

    Returns
    -------
    ridge : float
        1e-11 times the largest diagonal entry of the Gram matrix; 1e-4 times that of sums in
        single precision.
    """
    largest = statistics.joint_gram.diagonal()[: statistics.n_features].max()
    return float(10 * _SINGULAR[statistics.joint_gram.dtype.name] * largest) or 1.0


def solve_ridge(statistics, ridge):
    """Ridge coefficients of the one-hot labels.

    Parameters
    ----------
    statistics : ClassStatistics
    ridge : float
        Not negative.

    Returns
    -------
    coef : ndarray of shape (n_classes, n_features)
        C (G + ridge I)^-1, equations 3 and 4 of the LayUP paper.

    Raises
    ------
    LinAlgError
        When the ridge is too small for the rounding of the Gram matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn._ridge import solve_ridge
    >>> from layup_sklearn import ClassStatistics
    >>> statistics = ClassStatistics.from_samples(np.eye(2), ["a", "b"])
    >>> solve_ridge(statistics, ridge=1.0)
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    return RidgeFactor(statistics, ridge).coef()


@dataclass(frozen=True, eq=False)
class RidgeChoice:
    """The candidate that won, and what it won against.

    Attributes
    ----------
    ridge : float
    n_features : int
        Number of leading columns.
    factor : RidgeFactor or None
        Of the chosen ridge, where it was computed on the way.
    scores : list of (n_features, ridge, score)
        Everything tried; singular candidates score -inf.
    """

    ridge: float
    n_features: int
    factor: RidgeFactor | None
    scores: list


def choose_by_evidence(statistics, n_features, ridges=None):
    """The ridge, and the number of leading columns, of largest evidence.

    Parameters
    ----------
    statistics : ClassStatistics
    n_features : list of int
        Increasing numbers of leading columns to choose from.
    ridges : sequence of float, default=None
        Candidates; None searches all ridges.

    Returns
    -------
    RidgeChoice

    Raises
    ------
    LinAlgError
        When the Gram matrix is singular at every one of ``ridges``.

    Notes
    -----
    The search climbs on a grid of half decades from 1e-4 times the trace of the Gram
    matrix to the next maximum; the vertex of the parabola through it and its neighbours is
    the ridge. It starts anew each time, not at an earlier ridge, so that the choice depends
    on the statistics alone and not on the calls that led to them. Where samples are fewer
    than features and some are exact duplicates, the evidence grows without bound as
    ridge -> 0 (labels without noise): hence from above, and with a prior squared error of
    0.01 in all, which matters only for labels fitted to that.
    """
    best, best_score, scores = None, -np.inf, []

    def log_evidence(ridge):
        nonlocal best, best_score
        try:
            factor = RidgeFactor(statistics, ridge, n_features[-1])
        except LinAlgError:
            result = np.full(len(n_features), -np.inf)
        else:
            result = factor.log_evidence(n_features)
            if best is None or result.max() > best_score:
                best, best_score = factor, result.max()
        scores.extend(zip(n_features, [float(ridge)] * len(result), result.tolist()))
        return result

    if ridges is None:
        trace = statistics.joint_gram.diagonal()[: n_features[-1]].sum() or 1.0
        edge = _search(log_evidence, trace)
        count = statistics.class_count
        if edge and count.sum() >= 2 * (count > 0).sum():  # fewer tell nothing: no news
            warnings.warn(edge, stacklevel=2)
    else:
        for ridge in ridges:
            log_evidence(ridge)
        if best is None:
            RidgeFactor(statistics, max(ridges), n_features[-1])  # raises
    winner = n_features[np.argmax(best.log_evidence(n_features))]
    return RidgeChoice(best.ridge, winner, best, scores)


def _search(log_evidence, trace):
    """Evaluate ``log_evidence(ridge)``, one value per curve, uphill from the first step to
    around the maximum of the highest curve; a sentence where that is at an edge."""
    tried = {}  # step -> log evidence of every curve

    def visit(step):
        if step not in tried:
            tried[step] = log_evidence(trace * 10.0 ** (-step / _STEPS_PER_DECADE))

    def best_steps():
        steps = np.array(sorted(tried))
        curves = np.array([tried[step] for step in steps])
        return steps[np.argmax(curves - _FLAT * steps[:, np.newaxis], axis=0)]

    def bracket(first, stride, curves=slice(None)):
        visit(last := first)
        while (best_steps()[curves] == last).any():
            visit(last := last + stride)
        while (best_steps()[curves] == first).any() and first > _HIGHEST_STEP:
            visit(first := first - stride)

    bracket(_FIRST_STEP, stride=_STEPS_PER_DECADE)
    curve = np.argmax(np.max(list(tried.values()), axis=0))
    step = best_steps()[curve]
    bracket(step, 1, curve)
    step = best_steps()[curve]
    above, peak, below = (tried.get(step + i, tried[step])[curve] for i in (-1, 0, 1))
    if step <= _HIGHEST_STEP or below == -np.inf:
        edge = "largest" if step <= _HIGHEST_STEP else "smallest"
        return (
            f"The evidence is highest at the {edge} ridge that is searched, "
            f"{trace * 10.0 ** (-step / _STEPS_PER_DECADE):.3g}: the features tell "
            + ("little about the labels." if edge == "largest" else "the labels without error.")
        )
    if (bend := above - 2 * peak + below) < 0:
        visit(step + (above - below) / (2 * bend))


def choose_by_folds(statistics, X, y, sample_weight, splits, n_features, ridges):
    """The ridge, and the number of leading columns, of largest accuracy on folds.

    The sums of each fold's training rows are added to those of all earlier samples, as
    in the paper; the first of equally good candidates wins.

    Parameters
    ----------
    statistics : ClassStatistics
        Of all earlier samples, over all classes.
    X : ndarray of shape (n_samples, n_features)
        The newest batch.
    y : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,) or None
    splits : iterable of (train, test)
        Index arrays.
    n_features : list of int
        Numbers of leading columns to choose from.
    ridges : sequence of float

    Returns
    -------
    RidgeChoice

    Raises
    ------
    LinAlgError
        When every ridge is too small in some fold.
    """
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    accuracies = []
    for train, test in splits:
        fold = statistics.add_samples(X[train], y[train], weight[train])
        seen = fold.class_count > 0
        classes, held_out = fold.classes[seen], X[test].astype(np.float64)
        accuracy = np.full((len(n_features), len(ridges)), -np.inf)
        for column, ridge in enumerate(ridges):
            try:
                factor = RidgeFactor(fold, ridge, n_features[-1])
            except LinAlgError:
                if ridge == max(ridges):
                    raise
                continue
            for row, d in enumerate(n_features):
                scores = held_out[:, :d] @ factor.coef(d)[seen].T
                correct = classes[scores.argmax(axis=1)] == y[test]
                accuracy[row, column] = np.average(correct, weights=weight[test])
        accuracies.append(accuracy)
    accuracy = np.mean(accuracies, axis=0)
    row, column = np.unravel_index(accuracy.argmax(), accuracy.shape)
    scores = [
        (d, float(ridge), float(accuracy[i, j]))
        for i, d in enumerate(n_features)
        for j, ridge in enumerate(ridges)
    ]
    return RidgeChoice(float(ridges[column]), n_features[row], None, scores)

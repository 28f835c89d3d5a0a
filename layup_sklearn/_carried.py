"""A Cholesky factor carried over rows that came after it (Woodbury), at O(d^2) a row.

Notation of ``_ridge``. R (m, d) are the rows that came after, weighted by the square roots of
their weights, and T (m, K) their one-hot labels, weighted likewise.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg.blas import dgemm
from scipy.linalg.lapack import dpotrf, dtrtrs

from ._once import once
from ._ridge import N_PROBES, Evidence, RidgeFactor

# Leverage of a row under the factor up to which ten digits of the answers are right.
_HEAVIEST_ROW = 1e5


class TooHeavy(Exception):
    """Rows that outweigh the sums of the factor: a factor of all sums is needed."""


@dataclass(frozen=True, eq=False)
class CarriedFactor:
    """The factor of G + R'R + ridge I and what follows from it, without a new factorisation.

    Attributes
    ----------
    factor : RidgeFactor
        Of G + ridge I = L L', from sums without the rows R.
    squared_norm : ndarray of shape (n_features,)
        Diagonal of G + R'R + ridge I.
    whitened : ndarray of shape (n_rows, n_features)
        V' = R L^-T.
    lower : ndarray of shape (n_rows, n_rows)
        Cholesky factor of I + V'V.
    directions : ndarray of shape (n_features, n_classes) or None
        B = (I + V V')^-1 L^-1 (C + T'R)', so that coef = (L^-T B)'.
    known_coef : ndarray of shape (n_classes, n_features) or None
        The coefficients. They are carried in place of B from the first time that they were
        asked for: of the one ridge that is in use.
    evidence_ : Evidence
        Of all rows.
    known_probed : ndarray of shape (n_rows, n_probes) or None
        What the rows take from the trace of the inverse: M^-1 V' L^-1 P' for the probes P. It is
        carried from the first time that the trace was asked for.

    Notes
    -----
    With new rows, v = L^-1 x' their whitened columns and t their targets::

        A         = L (I + V V') L'            (I + V V')^-1 = I - V (I + V'V)^-1 V'
        u         = (I + V V')^-1 v            S = I + v'u = M M'
        residual  = t - v'B = t - x coef'      h = M^-1 residual
        B        += u M^-T h                   coef += h' (L^-T u M^-T)'
        Q        += h'h                        log det V += 2 sum log M_ii

    which is recursive least squares in the basis where the sums before are the identity:
    one triangular solve a row, and no matrix of d x d is written. I + V'V grows by the
    block S (bordering), so that the rounding of one update is not carried into the next.
    """

    factor: RidgeFactor
    squared_norm: np.ndarray
    whitened: np.ndarray
    lower: np.ndarray
    directions: np.ndarray | None
    known_coef: np.ndarray | None
    evidence_: Evidence
    known_probed: np.ndarray | None

    @classmethod
    def start(cls, factor, squared_norm):
        """The factor itself, before any row.

        Parameters
        ----------
        factor : RidgeFactor
        squared_norm : ndarray of shape (n_features,)
            Diagonal of its Gram matrix.
        """
        nothing = np.empty((0, len(squared_norm))), np.empty((0, 0))
        norm = squared_norm + factor.ridge
        return cls(factor, norm, *nothing, factor.forward, None, factor.evidence(), None)

    def with_classes(self, classes, new_classes):
        """The same over more classes.

        Parameters
        ----------
        classes, new_classes : ndarray
            Sorted labels of now, and of then.
        """
        if len(classes) == len(new_classes):
            return self
        place = np.searchsorted(new_classes, classes)

        def widened(array, axis=0):
            shape = list(array.shape)
            shape[axis] = len(new_classes)
            wide = np.zeros(shape)
            np.moveaxis(wide, axis, 0)[place] = np.moveaxis(array, axis, 0)
            return wide

        old = self.evidence_
        count, means = widened(old.class_count), widened(old.means)
        evidence = old._replace(class_count=count, means=means)
        if self._was_asked:
            return replace(
                self, evidence_=evidence, directions=None, known_coef=widened(self._coef)
            )
        return replace(self, evidence_=evidence, directions=widened(self.directions, axis=1))

    def over(self, X, codes, sample_weight):
        """Carried over some more rows.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
        codes : ndarray of shape (n_rows,)
            Positions of their classes.
        sample_weight : ndarray of shape (n_rows,)
            Positive.

        Returns
        -------
        CarriedFactor

        Raises
        ------
        TooHeavy
            When the answers would lose digits.
        """
        root = np.sqrt(sample_weight)
        rows = X.astype(np.float64) * root[:, np.newaxis]
        squared_norm = self.squared_norm + np.einsum("ij,ij->j", rows, rows)
        v = self.factor.whiten(rows)
        along, M, u = self._beside(v, squared_norm)
        h = dtrtrs(M, self._residual(rows, v, codes, root), lower=1)[0]
        gain = dtrtrs(M, u, lower=1)[0]
        if self._was_asked:  # coef + h' (L^-T gain')', at one reading of coef
            moved = None, dgemm(1.0, self._back(gain.T).T, h, 1.0, self._coef.T).T
        else:
            moved = self.directions + gain.T @ h, None
        return CarriedFactor(
            self.factor,
            squared_norm,
            np.concatenate([self.whitened, v]),
            _bordered(self.lower, along, M),
            *moved,
            self._evidence_over(h, M, codes, sample_weight),
            self._probed_over(v, along, M),
        )

    def _probed_over(self, v, along, M):
        if self.known_probed is None and "_probed" not in vars(self):
            return None
        left = v @ self.factor.whitened_probes - along.T @ self._probed
        return np.concatenate([self._probed, dtrtrs(M, left, lower=1)[0]])

    @once
    def _probed(self):
        if self.known_probed is not None:
            return self.known_probed
        if not len(self.lower):
            return np.empty((0, N_PROBES))
        return dtrtrs(self.lower, self.whitened @ self.factor.whitened_probes, lower=1)[0]

    def inverse_trace(self, n_features=None):
        """tr A^-1, see `RidgeFactor.inverse_trace`."""
        return self.factor.inverse_trace() - float((self._probed**2).sum() / N_PROBES)

    def _beside(self, v, squared_norm):
        """V'v in the basis of I + V'V, the block M of its factor, and u; or TooHeavy."""
        square = v @ v.T
        if square.diagonal().max() > _HEAVIEST_ROW or self.factor.is_singular(squared_norm):
            raise TooHeavy
        along, u = np.empty((0, len(v))), v
        if len(self.lower):
            along = dtrtrs(self.lower, self.whitened @ v.T, lower=1)[0]
            square -= along.T @ along
            u = v - dtrtrs(self.lower, along, lower=1, trans=1)[0].T @ self.whitened
        square[np.diag_indices(len(square))] += 1
        return along, dpotrf(square, lower=1)[0], u

    def _residual(self, rows, v, codes, root):
        residual = -(rows @ self._coef.T if self._was_asked else v @ self.directions)
        residual[np.arange(len(codes)), codes] += root
        return residual

    def _back(self, columns):
        """Rows (L^-T columns)', of shape (n_columns, n_features)."""
        return dtrtrs(self.factor.lower, columns, lower=1, trans=1)[0].T

    def _evidence_over(self, h, M, codes, sample_weight):
        before = self.evidence_
        n_classes = len(before.class_count)
        return Evidence(
            before.class_count + np.bincount(codes, sample_weight, minlength=n_classes),
            before.squared + np.vdot(h, h),
            before.means + h.T @ h.sum(axis=1),
            before.log_det + 2 * np.log(M.diagonal()).sum(),
        )

    @property
    def ridge(self):
        return self.factor.ridge

    def evidence(self, n_features=None):
        """What the marginal likelihood of all labels depends on; of all columns."""
        return self.evidence_

    def coef(self, n_features=None):
        """Ridge coefficients, of shape (n_classes, n_features)."""
        return self._coef

    @property
    def _was_asked(self):
        return self.directions is None or "_coef" in vars(self)

    @once
    def _coef(self):
        return self._back(self.directions) if self.known_coef is None else self.known_coef

    def leverage(self, X):
        """x' A^-1 x of every row x, of shape (n_samples,)."""
        v = self.factor.whiten(X)
        along = dtrtrs(self.lower, self.whitened @ v.T, lower=1)[0]
        return (v**2).sum(axis=1) - (along**2).sum(axis=0)


def _bordered(lower, along, M):
    """[[lower, 0], [along', M]]."""
    m, size = len(lower), len(lower) + len(M)
    bordered = np.zeros((size, size), order="F")
    bordered[:m, :m] = lower
    bordered[m:, m:] = M
    bordered[m:, :m] = along.T
    return bordered

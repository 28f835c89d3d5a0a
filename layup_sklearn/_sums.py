"""Rows added to sums in place."""

import numpy as np
from scipy.linalg import get_blas_funcs
from scipy.sparse import csr_array


def add_squares(gram, rows, weight, sign):
    """Add sign * rows' diag(weight) rows to the lower triangle of a Gram matrix, in place."""
    if (weight != 1).any():
        rows = rows * np.sqrt(weight).astype(rows.dtype)[:, np.newaxis]
    syrk = get_blas_funcs("syrk", dtype=gram.dtype)
    syrk(sign, rows.T, beta=1.0, c=gram, lower=1, overwrite_c=1)


def add_by_class(class_sum, rows, codes, weight):
    """Add the weighted rows of each class to its sum, in place."""
    present, group = np.unique(codes, return_inverse=True)
    onehot = csr_array((weight.astype(rows.dtype), group, np.arange(len(rows) + 1)))
    class_sum[present] += onehot.T @ rows


def check_shapes(sums):
    """Raise where gram, class_sum, class_count and classes do not fit each other."""
    n_classes, d = sums.classes.size, sums.gram.shape[-1]
    wanted = {"gram": (d, d), "class_sum": (n_classes, d), "class_count": (n_classes,)}
    for name, shape in wanted.items():
        if getattr(sums, name).shape != shape:
            raise ValueError(
                f"{name} has shape {getattr(sums, name).shape}, but {n_classes} classes and {d} "
                f"features want {shape}."
            )

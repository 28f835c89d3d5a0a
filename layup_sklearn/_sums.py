"""Rows added to sums in place."""

import numpy as np
from scipy.linalg import get_blas_funcs
from scipy.sparse import csr_array

CHUNK_ROWS = 1024  # rows that are copied to the type of the sums at a time


def add_rows(gram, class_sum, X, codes, weight, sign):
    """Add rows to a Gram matrix, its lower triangle, and to the sums of their classes, in place."""
    for start in range(0, len(codes), CHUNK_ROWS):
        chunk = slice(start, start + CHUNK_ROWS)
        with np.errstate(over="ignore", invalid="ignore"):  # the sums say so, too
            rows = np.asarray(X[chunk], dtype=gram.dtype, order="C")
            add_squares(gram, rows, weight[chunk], sign)
            add_by_class(class_sum, rows, codes[chunk], sign * weight[chunk])


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

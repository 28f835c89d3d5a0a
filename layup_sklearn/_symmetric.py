"""Symmetric matrices: both triangles in memory, one of them in files and pickles."""

import numpy as np
from scipy.linalg import get_lapack_funcs


def read_only(array):
    """The array itself, not writeable any more."""
    array.flags.writeable = False
    return array


def copy_lower_to_upper(matrix, width=64):
    """Make a matrix symmetric in place, in blocks that stay in the processor's cache."""
    for start in range(0, len(matrix), width):
        block, rest = slice(start, start + width), slice(start + width, None)
        matrix[block, rest] = matrix[rest, block].T
        corner = np.tril(matrix[block, block])
        matrix[block, block] = corner + np.tril(corner, -1).T


def pack(matrix):
    """The lower triangle of a symmetric matrix, column by column.

    Parameters
    ----------
    matrix : ndarray of shape (size, size), float32 or float64

    Returns
    -------
    packed : ndarray of shape (size * (size + 1) / 2,)
        LAPACK's packed format with ``uplo="L"``.
    """
    trttp = get_lapack_funcs("trttp", dtype=matrix.dtype)
    return trttp(matrix, uplo="L")[0]


def unpack(packed, size):
    """Undo `pack`.

    Parameters
    ----------
    packed : ndarray of shape (size * (size + 1) / 2,)
    size : int

    Returns
    -------
    matrix : ndarray of shape (size, size)
        In Fortran order.
    """
    tpttr = get_lapack_funcs("tpttr", dtype=packed.dtype)
    matrix = tpttr(size, packed, uplo="L")[0]
    copy_lower_to_upper(matrix)
    return matrix

"""Sums and what belongs to them in one file, without pickle.

The file is in the safetensors format: any reader of it finds

- ``gram_packed``, the lower triangle of the Gram matrix column by column (LAPACK's packed
  format); ``class_sum`` (n_classes, n_features); ``class_count`` (n_classes,); arrays among the
  parameters and the fitted attributes of an encoder;
- as metadata ``format`` ("layup_sklearn"), ``format_version``, ``package_version``, in JSON
  ``labels`` and ``model`` (parameters and small fitted attributes), and a ``digest`` of all
  other content.

A change of this layout that old versions cannot read raises FORMAT_VERSION; files of all
earlier versions stay readable. Format 1 had the triangle as ``gram_lower``, in blocks of columns.
"""

import json
import os
from contextlib import contextmanager
from hashlib import blake2b
from importlib import import_module

import numpy as np

from ._files import ArraysFile, replacement_of, write_arrays
from ._layers import layer_sizes
from ._statistics import ClassStatistics
from ._symmetric import copy_lower_to_upper, pack, read_only, unpack
from ._values import from_json, to_json

FORMAT_VERSION = 2


def save_model(path, statistics, model):
    """Write a file that is put in place whole, or not at all.

    Parameters
    ----------
    path : str or path
    statistics : ClassStatistics
    model : dict
        Parameters and attributes: numbers, strings, None, paths, arrays, encoders of this
        package, and lists and dicts of them.

    Raises
    ------
    ValueError
        When `model` holds anything else.
    OSError
        When the file cannot be written.
    """
    arrays = {}
    metadata = {
        "format": __package__,
        "format_version": str(FORMAT_VERSION),
        "package_version": import_module(__package__).__version__,
        "labels": json.dumps(to_json(statistics.classes, "labels", None)),
        "model": json.dumps(to_json(model, "", arrays)),
    }
    arrays.update(
        gram_packed=pack(statistics.gram),
        class_sum=statistics.class_sum,
        class_count=statistics.class_count,
    )
    metadata["digest"] = content_digest(metadata, arrays.items())
    _check_path(path)
    with replacement_of(path) as file:
        write_arrays(file, arrays, metadata)


def load_model(path):
    """Read a file.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    statistics : ClassStatistics
    model : dict
        As it was given to `save_model`; tuples have become lists.

    Raises
    ------
    ValueError
        For a file that is damaged, foreign or of a newer format.
    OSError
        For a file that cannot be opened.
    """
    _check_path(path)
    with open(path, "rb") as opened, one_clear_error(path):
        file = ArraysFile(opened)
        metadata = file.metadata
        if metadata.get("format") != __package__:
            raise ValueError(f"it is a safetensors file, but no model of {__package__}.")
        if int(metadata["format_version"]) > FORMAT_VERSION:
            raise ValueError(
                f"it was written by {__package__} {metadata['package_version']} in format "
                f"{metadata['format_version']}, and this version knows formats up to "
                f"{FORMAT_VERSION}: upgrade {__package__}."
            )
        if metadata["format_version"] != "1":
            if metadata.pop("digest") != content_digest(metadata, file.read_all().items()):
                raise ValueError("its content is not what was written: it is damaged.")
        statistics = _read_statistics(file, metadata)
        model = from_json(json.loads(metadata["model"]), file)
        _check_fitted(model["fitted"], statistics.n_features)
        return statistics, model


def _check_path(path):
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            f"path must be a path, got {type(path).__name__}: models are saved to files; into streams "
            "go pickle and joblib."
        )
    if not os.fspath(path):
        raise ValueError("path is empty: give the name of a file.")


def content_digest(metadata, arrays):
    """Of all content, in no order."""
    parts = [f"{name} {text}".encode() for name, text in metadata.items()]
    for name, array in arrays:
        head = f"{name} {array.dtype.str} {array.shape}".encode()
        parts.append(head + blake2b(np.ascontiguousarray(array), digest_size=16).digest())
    return blake2b(b"\0".join(sorted(parts)), digest_size=16).hexdigest()


@contextmanager
def one_clear_error(path):
    """Whatever is wrong with the content of a file becomes a ValueError that names it."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{os.fspath(path)!r} cannot be loaded: {error} is missing.") from error
    except (
        ArithmeticError,
        AttributeError,
        IndexError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(f"{os.fspath(path)!r} cannot be loaded: {error}") from error


def _read_statistics(file, metadata):
    classes = from_json(json.loads(metadata["labels"]), file)
    class_sum, count = file.read("class_sum"), file.read("class_count")
    n_classes, d = class_sum.shape
    read, name, size = _LAYOUTS[int(metadata["format_version"])]
    if (
        not classes.shape == count.shape == (n_classes,)
        or not class_sum.size
        or file.shape(name) != (size(d),)
        or class_sum.dtype not in (np.float32, np.float64)
        or not (
            np.isfinite(class_sum).all()
            and np.isfinite(count).all()
            and (count >= 0).all()
            and count.any()
        )
        or not np.array_equal(np.unique(classes), classes)
    ):
        raise ValueError("its arrays are not the sums of a model.")
    gram = read(file, d)
    squares = gram.diagonal().astype(np.float64)  # below zero by rounding alone, after `forget`
    if not np.isfinite(gram).all() or squares.min() < -1e-6 * squares.max():
        raise ValueError("its Gram matrix is none.")
    return ClassStatistics(classes, read_only(gram), read_only(class_sum), count.astype(float))


def _check_fitted(fitted, n_features):
    """Features, layers and choice are those of the sums."""
    encoder, choice = fitted["encoder_"], fitted["choice_by_folds"]
    ends = np.cumsum(layer_sizes(encoder) or [n_features]).tolist()
    tried = [] if choice is None else [choice[:2], *(pair[1::-1] for pair in choice[2])]
    if ends[-1] != n_features or any(columns not in ends for _, columns in tried):
        raise ValueError("its layers are not those of its sums.")
    if encoder is not None:
        if not hasattr(encoder, "transform"):
            raise ValueError(f"its fitted encoder is {encoder!r}.")
        return
    names = fitted.get("feature_names_in_")
    if fitted["n_features_in_"] != n_features or names is not None and len(names) != n_features:
        raise ValueError("its features are not those of its sums.")


def _read_packed(file, d):
    return unpack(file.read("gram_packed"), d)


def _blocks(size):
    """Where the columns of a lower triangle lie in a file of format 1.

    Yields (rows, columns, part): a block of some columns, from the diagonal entry of the first
    one down, and the slice of the array in the file, which holds it column by column. There
    are 64 blocks of equal width, fewer when `size` is small.
    """
    width, start = -(-size // 64), 0
    for first in range(0, size, width):
        last = min(first + width, size)
        stop = start + (last - first) * (size - first)
        yield slice(first, size), slice(first, last), slice(start, stop)
        start = stop


def _read_blocks(file, d):
    gram = np.zeros((d, d), file.read("class_sum").dtype, order="F")
    for rows, columns, part in _blocks(d):
        block = gram[rows, columns]
        block[...] = file.read("gram_lower", part).reshape(block.shape, order="F")
    copy_lower_to_upper(gram)
    return gram


# By format version: how the Gram matrix is read, from which array, of which length.
_LAYOUTS = {
    1: (_read_blocks, "gram_lower", lambda d: list(_blocks(d))[-1][-1].stop),
    2: (_read_packed, "gram_packed", lambda d: d * (d + 1) // 2),
}

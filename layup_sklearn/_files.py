"""Files of named arrays and text, in the safetensors format, put in place whole.

The format is eight bytes with the length of a header, the header in JSON, and the arrays one after
the other. Here it is read without a memory map: a file that somebody truncates meanwhile is an
error, not a signal that ends the process.
"""

import json
import math
import os
import secrets
import stat
from contextlib import contextmanager, suppress

import numpy as np

_TYPES = {"BOOL": "?", "F16": "<f2", "F32": "<f4", "F64": "<f8"}
_TYPES |= {f"{kind}{8 * n}": f"<{kind.lower()}{n}" for kind in "IU" for n in (1, 2, 4, 8)}
_NAMES = {np.dtype(code): name for name, code in _TYPES.items()}
STORED_TYPES = tuple(dtype.name for dtype in _NAMES)
_DAMAGED = f"it is truncated, damaged or no model of {__package__}"


def write_arrays(file, arrays, metadata):
    """Write a file of the safetensors format.

    Parameters
    ----------
    file : open binary file
    arrays : dict of str to ndarray
    metadata : dict of str to str
    """
    header, end = {"__metadata__": metadata}, 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        shape, dtype = list(array.shape), _NAMES[array.dtype.newbyteorder("<")]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for array in arrays.values():
        file.write(
            np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view("u1")
        )


class ArraysFile:
    """An open file of the safetensors format, its header checked against its length.

    Parameters
    ----------
    file : open binary file

    Attributes
    ----------
    metadata : dict of str to str

    Raises
    ------
    ValueError
        For anything that is not such a file.
    """

    def __init__(self, file):
        self._file, self._arrays, n_bytes = file, {}, os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        self._start = 8 + length
        if self._start > n_bytes:
            raise ValueError(f"{_DAMAGED}.")
        try:
            header = json.loads(file.read(length))
            self.metadata = header.pop("__metadata__", {})
            self._entries = {name: self._entry(**entry) for name, entry in header.items()}
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise ValueError(f"{_DAMAGED} ({error}).") from error
        ends = [0, *sorted(end for _, _, _, end in self._entries.values()), n_bytes - self._start]
        starts = sorted(start for _, _, start, _ in self._entries.values())
        if [*starts, ends[-1]] != ends[:-1] or not isinstance(self.metadata, dict):
            raise ValueError(f"{_DAMAGED}: its arrays do not fill it.")

    @staticmethod
    def _entry(dtype, shape, data_offsets):
        dtype, (start, end) = np.dtype(_TYPES[dtype]), data_offsets
        if not all(type(n) is int and n >= 0 for n in (*shape, start, end)):
            raise ValueError("numbers that are none")
        if math.prod(shape) * dtype.itemsize != end - start:
            raise ValueError("an array of another length")
        return dtype, tuple(shape), start, end

    def names(self):
        """Of the arrays."""
        return list(self._entries)

    def read_all(self):
        """All arrays by name, which `read` then hands out, too."""
        self._arrays = {name: self.read(name) for name in self._entries}
        return self._arrays

    def shape(self, name):
        """Of an array."""
        return self._entries[name][1]

    def read(self, name, items=None):
        """An array, or some of its items in the order of memory.

        Parameters
        ----------
        name : str
        items : slice, default=None
            None: all, in the shape of the array.
        """
        if items is None and name in self._arrays:
            return self._arrays[name]
        dtype, shape, start, end = self._entries[name]
        if items is not None:
            shape = (items.stop - items.start,)
            start += items.start * dtype.itemsize
        array = np.empty(shape, dtype)
        if array.nbytes > end - start:
            raise ValueError(f"{_DAMAGED}.")
        self._file.seek(self._start + start)
        if array.size and self._file.readinto(array.reshape(-1).view("u1")) != array.nbytes:
            raise ValueError(f"{_DAMAGED}.")
        return array.astype(dtype.newbyteorder("="), copy=False)


@contextmanager
def replacement_of(path):
    """An open file that takes the place of `path` when the context ends, whole or not at all.

    Mode and links of a file that was there are kept. On Linux the new one has no name until it is
    complete, so that a process that is killed leaves nothing.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    OSError
        Where no regular file can be at `path`, or it cannot be written.
    """
    path, mode = os.path.realpath(path), _mode(path)
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"The folder {folder!r} does not exist.")
    temporary = os.path.join(folder, f".{name[:200]}.{secrets.token_hex(8)}")
    try:
        with _without_name(folder) or open(temporary, "xb") as file:
            yield file
            file.flush()
            if mode is not None:
                os.chmod(file.fileno() if os.chmod in os.supports_fd else temporary, mode)
            os.fsync(file.fileno())
            if not os.path.exists(temporary):
                _give_name(file, temporary)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync(folder)


def _mode(path):
    """Of the regular file at a path, through links as far as the system follows them."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{os.fspath(path)!r} is a folder: name a file in it.")
    if not stat.S_ISREG(mode):
        raise OSError(f"{os.fspath(path)!r} is not a regular file.")
    return stat.S_IMODE(mode)


def _without_name(folder):
    """A new file in a folder that has no name; None where the system has no such files."""
    if not (hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd")):
        return None
    with suppress(OSError):  # a file system without them, or errors that a named file has, too
        return open(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666), "wb")


def _give_name(file, path):
    folder = os.open(os.path.dirname(path), os.O_RDONLY)  # makes Python follow the link in /proc
    try:
        os.link(f"/proc/self/fd/{file.fileno()}", path, src_dir_fd=folder)
    finally:
        os.close(folder)


def _sync(folder):
    """Make the new name last through a loss of power, where folders can be opened."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

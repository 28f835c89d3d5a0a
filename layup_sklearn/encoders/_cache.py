"""Features of samples that went through the network already."""

import math
import os
import sqlite3
import warnings
import zlib
from collections.abc import Sequence
from contextlib import closing, suppress
from hashlib import blake2b
from numbers import Real
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .._typing import StrPath
from ._database import bytes_in_use, connect, count, open_database
from ._locks import Lock

_FORMAT = 2  # 1 had checksums of the features alone
_KEYS_IN_A_QUERY = 500
_abandoned = []  # databases of the parent process: closing one could wait for its threads


class FeatureCache:
    """Features by content of the image or text, in a folder or in memory.

    An entry is one sample after one network: all its layers, so that any `n_layers` is
    read from it. Give it to encoders as ``memory``; a folder's name does the same as
    ``FeatureCache(folder)``. Clones share it.

    Parameters
    ----------
    location : str or path, default=None
        Folder, made when it is missing; for several processes and for later runs. None:
        memory of this process, for as long as the cache lives; copies in other processes
        begin empty.
    max_bytes : int, default=None
        Size above which the oldest entries leave. None: no bound.
    dtype : {"float32", "float16"}, default="float32"
        Type in which features are kept. "float16" halves the size; it rounds a feature to
        a relative 5e-4, absolutely 3e-8 below 6e-5, and keeps nothing above 65504: such
        samples are computed again each time.

    Attributes
    ----------
    nbytes : int
        Size in bytes, on disk or in memory.

    See Also
    --------
    ImageEncoder : Features of images; keeps them in its `memory`.
    TextEncoder : Features of texts; likewise.

    Notes
    -----
    A SQLite database: each batch is one transaction, so a process that is killed leaves
    whole entries; any number of processes may read and write, where the folder's file system has
    working locks and those who write are trusted. Each entry carries a checksum over its key and
    its features and is computed again where it does not hold. A file that is damaged as a
    whole is put aside with a warning. A folder that cannot be used is warned about once, and
    features are computed.

    Examples
    --------
    >>> import numpy as np
    >>> from layup_sklearn import FeatureCache, ImageEncoder
    >>> cache = FeatureCache()
    >>> encoder = ImageEncoder("test_vit", pretrained=False, memory=cache)
    >>> features = encoder.transform(np.zeros((3, 32, 32, 3), dtype=np.uint8))
    >>> len(cache)  # three equal images
    1
    >>> cache.clear()
    >>> len(cache)
    0
    """

    def __init__(
        self,
        location: StrPath | None = None,
        *,
        max_bytes: int | None = None,
        dtype: Literal["float32", "float16"] = "float32",
    ):
        if max_bytes is not None and not (isinstance(max_bytes, Real) and max_bytes > 0):
            raise ValueError(f"max_bytes must be a positive number, got {max_bytes!r}.")
        if dtype not in ("float32", "float16"):
            raise ValueError(f"dtype must be 'float32' or 'float16', got {dtype!r}.")
        folder = None if location is None else os.path.abspath(os.fspath(location))
        self.location: str | None = folder
        self.max_bytes = max_bytes
        self.dtype = dtype
        self._open_in_memory()

    def get(self, keys: Sequence[bytes], n_features: int) -> dict[bytes, NDArray[np.float32]]:
        """Entries that are there.

        Parameters
        ----------
        keys : list of bytes
            Names that the entries were given in `put`.
        n_features : int
            Width that an entry must have.

        Returns
        -------
        rows : dict of bytes to ndarray of shape (n_features,), float32
            By key; without those that are missing, damaged or of another width.
        """
        rows, stored = {}, {self._key(key): key for key in keys}

        def read(database):
            wanted = list(stored)
            for start in range(0, len(wanted), _KEYS_IN_A_QUERY):
                part = wanted[start : start + _KEYS_IN_A_QUERY]
                marks = ",".join("?" * len(part))
                query = f"SELECT key, entry FROM features WHERE key IN ({marks})"
                for key, entry in database.execute(query, part):
                    row = _unpack(key, entry, self.dtype)
                    if row is not None and len(row) == n_features:
                        rows[stored[key]] = row

        self._try(read, "read from")
        return rows

    def put(self, keys: Sequence[bytes], rows: NDArray[np.floating]) -> None:
        """Keep entries, all or none.

        Parameters
        ----------
        keys : list of bytes
            Names of the entries, one a row; an earlier entry of the name is replaced.
        rows : ndarray of shape (n_keys, n_features)
            Features; a row that is not finite in the `dtype` of the cache is left out.
        """
        with np.errstate(over="ignore"):
            rows = rows.astype(self.dtype)
        keys = [self._key(key) for key in keys]
        entries = [(key, _pack(key, row)) for key, row in zip(keys, rows) if np.isfinite(row).all()]

        def write(database):
            with database:
                database.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", entries)
                self._remove_oldest(database)

        self._try(write, "kept in")

    def _remove_oldest(self, database):
        """Down to nine tenths of what is allowed."""
        if self.max_bytes is None or (used := bytes_in_use(database)) <= self.max_bytes:
            return
        n = count(database)
        n_out = math.ceil(n * (1 - 0.9 * self.max_bytes / used))
        database.execute(
            "DELETE FROM features WHERE rowid IN (SELECT rowid FROM features ORDER BY rowid LIMIT ?)",
            (n_out,),
        )

    def _try(self, function, verb):
        """Do without the cache where it cannot be used: a full disk, no rights, a lock."""
        try:
            self._work(function)
        except (OSError, sqlite3.OperationalError) as error:
            if not self._warned:
                warnings.warn(
                    f"Features could not be {verb} {self.location!r} ({error}); they are computed.",
                    stacklevel=3,
                )
            self._warned = True

    def __len__(self) -> int:
        return self._work(lambda database: count(database))

    @property
    def nbytes(self) -> int:
        return self._work(bytes_in_use)

    def clear(self) -> None:
        """Remove all entries, of all networks."""

        def delete(database):
            with database:
                database.execute("DELETE FROM features")
            database.execute("VACUUM")

        self._work(delete)

    def __repr__(self) -> str:
        bound = "" if self.max_bytes is None else f", max_bytes={self.max_bytes!r}"
        kind = "" if self.dtype == "float32" else f", dtype={self.dtype!r}"
        return f"FeatureCache({self.location!r}{bound}{kind})"

    def __sklearn_clone__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __getstate__(self):
        return {"location": self.location, "max_bytes": self.max_bytes, "dtype": self.dtype}

    def __setstate__(self, state):
        self.__init__(**state)

    def _open_in_memory(self):
        self._process, self._in_memory, self._warned = os.getpid(), None, False
        if self.location is None:
            self._in_memory, self._lock = connect(":memory:"), Lock()

    def _key(self, key):
        return blake2b(f"{_FORMAT} {self.dtype} ".encode() + key, digest_size=16).digest()

    def _work(self, function):
        """``function(database)``; of an empty database in place of one that is damaged."""
        if self.location is None:
            if self._process != os.getpid():  # forked, maybe in the middle of an operation
                _abandoned.append(self._in_memory)
                self._open_in_memory()
            with self._lock:
                return function(self._in_memory)
        os.makedirs(self.location, exist_ok=True)
        path = os.path.join(self.location, "features.sqlite")
        try:
            with closing(open_database(path)) as database:
                return function(database)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            with suppress(FileNotFoundError):  # another process was first
                os.replace(path, path + ".damaged")
            warnings.warn(
                f"The feature cache {path!r} is damaged ({error}): it is put aside as "
                f"{path + '.damaged'!r}, and the features are computed again.",
                stacklevel=3,
            )
        with closing(open_database(path)) as database:
            return function(database)


def as_feature_cache(memory):
    """The cache that a ``memory`` parameter stands for.

    Parameters
    ----------
    memory : FeatureCache, joblib.Memory, str, path or None

    Returns
    -------
    cache : FeatureCache or None
    """
    if memory is None or isinstance(memory, FeatureCache):
        return memory
    location = getattr(memory, "location", memory)  # of a joblib.Memory
    return None if location is None else FeatureCache(location)


def _pack(key, row):
    data = row.tobytes()
    return zlib.crc32(key + data).to_bytes(4, "little") + data


def _unpack(key, entry, dtype):
    """The row, or None where the entry is not what was written under the key."""
    if not isinstance(entry, bytes) or (len(entry) - 4) % np.dtype(dtype).itemsize:
        return None
    if zlib.crc32(key + entry[4:]).to_bytes(4, "little") != entry[:4]:
        return None
    row = np.frombuffer(entry, dtype, offset=4).astype(np.float32)
    return row if np.isfinite(row).all() else None

"""Locks that processes may be forked beside."""

import os
import threading
from weakref import WeakSet

_locks = WeakSet()


class Lock:
    """A reentrant lock that is open in a forked child.

    The thread that held it is not there to open it. What it guards must bear that: it may be
    half done.
    """

    def __init__(self):
        self._lock = threading.RLock()
        _locks.add(self)

    def __enter__(self):
        self._lock.acquire()

    def __exit__(self, *error):
        self._lock.release()


def _open_all():
    for lock in _locks:
        lock._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_all)

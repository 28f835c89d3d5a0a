"""Locks that processes may be forked beside."""

import os
import threading


class Lock:
    """A reentrant lock that is open in a forked child: each process has its own.

    The thread that held it is not there to open it. What it guards must bear that: it may be
    half done.
    """

    def __init__(self):
        self._of_process = {}

    def __enter__(self):
        self._here().acquire()

    def __exit__(self, *error):
        self._here().release()

    def _here(self):
        return self._of_process.setdefault(os.getpid(), threading.RLock())  # one step: no race

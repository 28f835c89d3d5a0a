"""Attributes that are computed when they are first looked at."""


class once:
    """``functools.cached_property`` without its lock.

    In Python 3.11 that lock is one for all objects of a class: a process forked while another
    thread held it would wait for it for ever. Two threads may compute the same value here.
    """

    def __init__(self, compute):
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        value = vars(instance)[self.name] = self.compute(instance)
        return value

"""Attributes that are computed when they are first looked at."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class once(Generic[T]):
    """``functools.cached_property`` without its lock.

    In Python 3.11 that lock is one for all objects of a class: a process forked while another
    thread held it would wait for it for ever. Two threads may compute the same value here.
    """

    def __init__(self, compute: Callable[[Any], T]):
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type | None = None) -> T:
        if instance is None:
            return self  # type: ignore[return-value]
        value = vars(instance)[self.name] = self.compute(instance)
        return value

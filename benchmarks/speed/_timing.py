"""What a call takes."""

from time import perf_counter


def seconds(function, *args):
    """By the clock on the wall."""
    start = perf_counter()
    function(*args)
    return perf_counter() - start

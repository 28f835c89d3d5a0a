"""LayUP as `layup`, adapted to task 1 by VPT-deep (prompt tokens in every block)."""

from ._adapted import adapted


def adapt(encoder, seed):
    return adapted(encoder, "vpt", seed)

"""LayUP as `layup`, adapted to the first task by SSF (scale and shift of every layer's output)."""

from ._adapted import adapted


def adapt(encoder, seed):
    return adapted(encoder, "ssf", seed)

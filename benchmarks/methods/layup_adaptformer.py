"""LayUP as `layup`, adapted to the first task by AdaptFormer (a small network beside every MLP)."""

from ._adapted import adapted


def adapt(encoder, seed):
    return adapted(encoder, "adaptformer", seed)

"""LayUP as `layup`, adapted to task 1 by AdaptFormer (small networks beside the MLPs)."""

from ._adapted import adapted


def adapt(encoder, seed):
    return adapted(encoder, "adaptformer", seed)

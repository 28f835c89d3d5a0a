"""LayUP as `layup`, adapted to the first task by LoRA (a matrix of rank 8 on top of query, key and value)."""

from ._adapted import adapted


def adapt(encoder, seed):
    return adapted(encoder, "lora", seed)

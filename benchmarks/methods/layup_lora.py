"""LayUP as `layup`, adapted to task 1 by LoRA (rank 8, on query, key and value)."""

from ._adapted import adapted


def adapt(encoder, seed):
    return adapted(encoder, "lora", seed)

"""Encoders that keep features in memory, so that each sample is embedded once."""

import copy

from ._base import FrozenEncoder
from ._cache import FeatureCache, as_feature_cache


def with_memory(encoder):
    """An encoder of this package keeps features from here on, in memory if nowhere else.

    Parameters
    ----------
    encoder : object
        Changed in place where it is, or a Pipeline holds, one of this package without a cache.

    Returns
    -------
    encoder : object
        The same.
    """
    for _, step in getattr(encoder, "steps", ()):  # of a Pipeline
        with_memory(step)
    frozen = getattr(encoder, "encoder", encoder)  # of one that adapts it
    if isinstance(frozen, FrozenEncoder) and as_feature_cache(frozen.memory) is None:
        frozen.set_params(memory=FeatureCache())
    return encoder


def copied_with_memory(encoder):
    """A copy that does, of a fitted encoder that stays as it is; networks are shared."""
    encoder = copy.copy(encoder)
    if hasattr(encoder, "steps"):
        encoder.steps = [(name, copied_with_memory(step)) for name, step in encoder.steps]
    elif getattr(encoder, "encoder", None) is not None:
        encoder.encoder = copy.copy(encoder.encoder)
    return with_memory(encoder)

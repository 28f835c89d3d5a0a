"""Frozen networks as they were loaded."""

from .._once import once
from ._digests import digest_weights
from ._torch import device_of


class LoadedNetwork:
    """A frozen network, and what is found out about it once.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode.
    """

    def __init__(self, module):
        self.module = module

    @property
    def device(self):
        return device_of(self.module)

    @once
    def digest(self):
        """Of the weights, see :func:`digest_weights`; for networks that stay as they are."""
        return digest_weights(self.module)

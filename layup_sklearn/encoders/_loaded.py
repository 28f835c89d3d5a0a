"""Frozen networks as they were loaded."""

from .._once import once
from ._digests import architecture, digest_weights
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
    def architecture(self):
        """See :func:`architecture`; once, as `digest`, for a network that stays as it is."""
        return architecture(self.module)

    @once
    def digest(self):
        """Of the weights, see :func:`digest_weights`."""
        return digest_weights(self.module)

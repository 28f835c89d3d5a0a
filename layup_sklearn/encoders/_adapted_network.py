"""Networks with adapted parameters."""

import copy

from ._image_encoder import ImageEncoder
from ._timm import TimmNetwork
from ._torch import device_of, random_numbers


class Adapted(ImageEncoder):
    """An ImageEncoder with an adapted copy of its network."""

    def _network(self):
        base, (method, state) = super()._network(), self.adaptation
        if self.last.get("base") is not base or self.last.get("state") is not state:
            network = TimmNetwork(_adapted_module(base.module, method, state))
            self.last.update(base=base, state=state, network=network)
        return self.last["network"]


def difference(base, module):
    """What differs in the state of a trained module, its new parameters merged where they can be."""
    import torch

    from ._adapters import merge

    old, new = base.state_dict(), merge(module).state_dict()
    return {
        name: value.float().cpu().numpy().copy()
        for name, value in new.items()
        if name not in old or not torch.equal(value, old[name])
    }


def _adapted_module(base, method, state):
    """Copy of a network with adapted parameters."""
    import torch

    from ._adapters import ADAPTERS

    module = copy.deepcopy(base)
    if not state.keys() <= base.state_dict().keys():
        with random_numbers(0, device_of(base)):
            ADAPTERS[method](module)
    try:
        tensors = {name: torch.tensor(value) for name, value in state.items()}
        module.load_state_dict({**module.state_dict(), **tensors})
    except RuntimeError as error:
        raise ValueError(
            f"The adapted parameters do not fit the model, which has changed since: call fit "
            f"again. {error}"
        ) from error
    return module.eval().requires_grad_(False)

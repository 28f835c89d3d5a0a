"""What names weights and files: digests and times."""

import os
import pickle
from hashlib import blake2b
from weakref import WeakKeyDictionary

_digests = WeakKeyDictionary()  # network -> digest of its weights


def weights_digest(network):
    """What :func:`digest_weights` gives, computed once for a network that stays as it is."""
    if network not in _digests:
        _digests[network] = digest_weights(network)
    return _digests[network]


def digest_weights(network):
    """Hexadecimal digest of names, shapes and values of a network's weights.

    About 0.3 s for 86 million parameters.

    Parameters
    ----------
    network : torch.nn.Module

    Returns
    -------
    digest : str
    """
    import torch

    digest = blake2b(digest_size=16)
    for name, value in network.state_dict().items():
        if not isinstance(value, torch.Tensor):  # extra state
            digest.update(name.encode() + pickle.dumps(value))
            continue
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def files_of(folder):
    """Names and times of the files in a folder: what is loaded from it anew when it changes."""
    return tuple(sorted((file.name, file.stat().st_mtime_ns) for file in os.scandir(folder)))


def file_stamp(sample):
    """What changes with a file; None of what is no path."""
    if not isinstance(sample, (str, os.PathLike)):
        return None
    try:
        state = os.stat(sample)
    except (OSError, ValueError):  # a text
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino


def text_digest(text):
    """Hexadecimal digest of a text."""
    return blake2b(text.encode(), digest_size=16).hexdigest()

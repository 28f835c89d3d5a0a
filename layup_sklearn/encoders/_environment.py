"""What this machine offers to encoders, without loading a network."""

import os

from ._timm import import_timm


def devices():
    """Devices that torch can use here, the one that "auto" takes first.

    Returns
    -------
    devices : list of str

    Raises
    ------
    ImportError
        When torch or timm is not installed, or cannot be loaded.
    """
    import_timm()
    import torch

    cuda = range(torch.cuda.device_count())
    found = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in cuda]
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, f"cpu ({torch.get_num_threads()} threads)"]


def weight_folders():
    """Where downloaded weights lie, by who downloads them.

    Returns
    -------
    folders : dict of str to str
    """
    import torch
    from huggingface_hub.constants import HF_HUB_CACHE

    return {
        "weights from the Hugging Face hub": HF_HUB_CACHE,
        "weights from other addresses": os.path.join(torch.hub.get_dir(), "checkpoints"),
    }

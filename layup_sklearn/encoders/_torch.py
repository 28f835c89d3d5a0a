"""What all encoders ask of torch: devices, precision, random numbers, digests of weights."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module

import numpy as np

from ._locks import Lock

_torchvision_library = None  # its operators live as long as it is referenced
_randomness = Lock()  # torch's random numbers are those of all threads


def import_past_torchvision(name):
    """Import a module, also where torchvision's compiled operators do not load.

    A CPU build of torch beside a CUDA build of torchvision makes ``import torchvision``
    fail for an operator that is never called here. On exactly this error the operators
    are declared by name, and the import is tried again.
    """
    try:
        return import_module(name)
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
    import torch

    global _torchvision_library
    _torchvision_library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        _torchvision_library.define(
            f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        )
    return import_module(name)


def find_device(device):
    """Name of the device to work on; "auto" is CUDA, else MPS, else the CPU.

    Parameters
    ----------
    device : str

    Returns
    -------
    device : str

    Raises
    ------
    ValueError
        Where torch cannot use it.
    """
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except Exception as error:  # of many kinds
        raise ValueError(
            f"device={device!r} cannot be used here ({first_line(error)}): use 'auto' or 'cpu'."
        ) from error
    return device


def device_of(network):
    """Device of a network's parameters; the CPU where it has none."""
    import torch

    parameter = next(network.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


PRECISIONS = {"auto", "float32", "tf32", "bfloat16"}


def precision_on(device, precision):
    """The precision that "auto" stands for: bfloat16 on CUDA, float32 elsewhere."""
    if precision != "auto":
        return precision
    return "bfloat16" if device.type == "cuda" else "float32"


@contextmanager
def inference(device, precision):
    """No gradients; matrix products and convolutions in a precision, whatever the caller's is.

    What a network keeps of such a pass can be trained with later, as it could not be after
    ``torch.inference_mode``.

    Parameters
    ----------
    device : torch.device
    precision : {"auto", "float32", "tf32", "bfloat16"}
    """
    import torch

    precision = precision_on(device, precision)
    with torch.no_grad(), float32_by_default(), mixed_precision(device, precision):
        yield


@contextmanager
def float32_by_default():
    """Torch makes float32 tensors of numbers; afterwards what the caller has chosen."""
    import torch

    chosen = torch.get_default_dtype()
    if chosen == torch.float32:
        yield
        return
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(chosen)


@contextmanager
def mixed_precision(device, precision):
    """Matrix products and convolutions in a precision, whatever the caller's is.

    Parameters
    ----------
    device : torch.device
    precision : {"float32", "tf32", "bfloat16"}
    """
    import torch

    mixed = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
    with mixed, _tf32(device, precision == "tf32"):
        yield


@contextmanager
def training(device):
    """Gradients, and the precision that the network is told, whatever the caller's are."""
    import torch

    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device.type, enabled=False),
    ):
        yield


@contextmanager
def _tf32(device, allowed):
    """TF32 of matrix products and convolutions on CUDA; afterwards as it was."""
    import torch

    if device.type != "cuda":
        yield
        return
    switches = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches:
            switch.allow_tf32 = allowed
        yield
    finally:
        for switch, value in zip(switches, before):
            switch.allow_tf32 = value


def run_ahead(iterable, n):
    """Iterate in a thread of its own, up to n items ahead of whoever takes them.

    Parameters
    ----------
    iterable : iterable
    n : int

    Yields
    ------
    item
        In order; an error comes where its item would have.
    """
    iterator, end = iter(iterable), object()
    thread = ThreadPoolExecutor(1)
    try:
        items = deque(thread.submit(next, iterator, end) for _ in range(n))
        while (item := items.popleft().result()) is not end:
            items.append(thread.submit(next, iterator, end))
            yield item
    finally:
        thread.shutdown(cancel_futures=True)


@lru_cache(maxsize=16)
def constant(values, device):
    """Numbers as a float32 tensor on a device, made once: a copy would wait for the device."""
    import torch

    return torch.tensor(values, dtype=torch.float32, device=device)


def on_device(inputs, device):
    """A batch of inputs, an array or a tensor that may be there already, on a device."""
    import torch

    if isinstance(inputs, np.ndarray):
        inputs = torch.from_numpy(inputs)
    if device.type != "cuda":
        return inputs.to(device)
    if inputs.device.type == "cpu":
        return inputs.pin_memory().to(device, non_blocking=True)
    inputs.record_stream(torch.cuda.current_stream(device))  # it comes from another one
    return inputs


def torch_view(array):
    """A tensor that shares an array's memory."""
    import torch

    return torch.from_numpy(array)


def to_host(tensor):
    """A function that waits for a tensor and gives it as an array; CUDA copies it meanwhile."""
    import torch

    if tensor.device.type != "cuda":
        return lambda: tensor.cpu().numpy()
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record()

    def wait():
        arrived.synchronize()
        return host.numpy()

    return wait


@contextmanager
def random_numbers(seed, device="cpu"):
    """Torch's global random numbers from a seed; afterwards as they were.

    Parameters
    ----------
    seed : int
    device : torch.device or str, default="cpu"
        Whose random numbers, beside those of the CPU.
    """
    import torch

    devices = [device] if torch.device(device).type == "cuda" else []
    with _randomness, float32_by_default(), torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)  # and, unlike torch.manual_seed, no other
        if devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def first_line(error):
    """Of an error's message, which may be pages long."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)

"""What a model holds beside its sums, as JSON and arrays: no pickle, no code."""

import os
import re
from importlib import import_module
from numbers import Integral, Real

import numpy as np

from ._files import STORED_TYPES
from ._layers import Layers


def to_json(value, name, arrays):
    """JSON for a value; arrays of numbers go to the dict `arrays`, if there is one."""
    if value is None or isinstance(value, (bool, str)):
        return value
    for abstract, kind in ((np.bool_, bool), (Integral, int), (Real, float)):
        if isinstance(value, abstract):
            return kind(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return [to_json(item, f"{name}.{i}", arrays) for i, item in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        path = f"{name}." if name else ""
        return {key: to_json(item, path + key, arrays) for key, item in value.items()}
    if isinstance(value, dict):
        return {"@pairs": to_json(list(value.items()), name, arrays)}
    if isinstance(value, np.ndarray) and (arrays is None or value.dtype.kind in "OSU"):
        items = value.tolist()
        if value.dtype.kind == "S":
            items = [item.decode("latin-1") for item in items]
        return {"@list": to_json(items, name, None), "dtype": value.dtype.str}
    if isinstance(value, np.ndarray) and value.dtype.name in STORED_TYPES:
        arrays[name] = np.asarray(value, order="C")
        return {"@array": name}
    if type(value) is _encoders().get(type(value).__name__):
        fitted = {k: v for k, v in vars(value).items() if _is_fitted_name(k)}
        return {
            "@encoder": type(value).__name__,
            "parameters": to_json(_portable(value), f"{name}.parameters", arrays),
            "fitted": to_json(fitted, name, arrays),
            "fingerprint": value.saved_fingerprint() if fitted and _has_weights(value) else None,
        }
    raise ValueError(
        f"{name}={value!r} cannot be saved: numbers, strings, None, arrays and encoders of "
        f"{__package__} can. Use pickle, joblib or skops for this model, or ready features."
    )


def _portable(encoder):
    """Parameters that mean the same elsewhere: whole paths, and no cache."""
    parameters = encoder.get_params(deep=False)
    if parameters.get("memory") is not None:
        parameters["memory"] = None
    for name in ("checkpoint_path", "model"):
        path = parameters.get(name)
        if path is not None and os.path.exists(path):
            parameters[name] = os.path.abspath(path)
    return parameters


def from_json(value, file):
    """The value of which `to_json` made this JSON; arrays come from the file."""
    if isinstance(value, list):
        return [from_json(item, file) for item in value]
    if not isinstance(value, dict):
        return value
    if "@list" in value:
        items, dtype = value["@list"], value["dtype"]
        if not re.fullmatch(r"[<>|=]?[biufOSU]\d{0,6}", dtype):  # NumPy evaluates more than these
            raise ValueError(f"it holds labels of type {dtype!r}.")
        dtype = np.dtype(dtype)
        if dtype.kind == "S":
            items = [item.encode("latin-1") for item in items]
        if dtype.kind in "SU" and dtype.itemsize > 4 * max(map(len, items), default=0) + 4:
            raise ValueError(f"it holds labels of type {dtype.str!r}, longer than any of them.")
        return np.array(items, dtype)
    if "@pairs" in value:
        return dict(from_json(value["@pairs"], file))
    if "@array" in value:
        return file.read(value["@array"])
    if "@encoder" in value:
        kind, parameters = _encoders()[value["@encoder"]], from_json(value["parameters"], file)
        encoder = kind.of_parameters(parameters) if _has_weights(kind) else kind(**parameters)
        fitted = {k: v for k, v in value["fitted"].items() if _is_fitted_name(k)}
        vars(encoder).update(from_json(fitted, file))
        if _has_weights(kind):
            encoder.expect_fingerprint(value.get("fingerprint"))
        return encoder
    return {key: from_json(item, file) for key, item in value.items()}


def _encoders():
    """The only classes that a file can name."""
    encoders = import_module(f"{__package__}.encoders")
    named = {name: getattr(encoders, name) for name in encoders.__all__} | {"Layers": Layers}
    return {name: found for name, found in named.items() if hasattr(found, "transform")}


def _has_weights(encoder):
    return hasattr(encoder, "saved_fingerprint")


def _is_fitted_name(name):
    return name.endswith("_") and not name.startswith("_")

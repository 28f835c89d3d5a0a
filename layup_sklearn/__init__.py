"""Continual learning with frozen foundation models, as a scikit-learn classifier."""

from importlib import import_module

__version__ = "0.2.0.dev0"

_HOMES = {
    "LayUPClassifier": "_classifier",
    "parallel_fit": "_parallel",
    "Layers": "_layers",
    "ClassStatistics": "_statistics",
    "PAPER_RIDGES": "_choice",
    "ImageEncoder": "encoders",
    "ModuleEncoder": "encoders",
    "TextEncoder": "encoders",
    "FeatureCache": "encoders",
    "AdaptedImageEncoder": "encoders",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__():
    return sorted([*globals(), *__all__])

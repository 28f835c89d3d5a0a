"""Continual learning with frozen foundation models, as a scikit-learn classifier."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # editors and type checkers see the names; at run time they come when asked for
    from ._choice import PAPER_RIDGES
    from ._classifier import LayUPClassifier
    from ._layers import Layers
    from ._parallel import parallel_fit
    from ._statistics import ClassStatistics
    from .encoders import (
        AdaptedImageEncoder,
        FeatureCache,
        ImageEncoder,
        ModuleEncoder,
        TextEncoder,
    )

__version__ = "0.2.0.dev0"

__all__ = [
    "PAPER_RIDGES",
    "AdaptedImageEncoder",
    "ClassStatistics",
    "FeatureCache",
    "ImageEncoder",
    "LayUPClassifier",
    "Layers",
    "ModuleEncoder",
    "TextEncoder",
    "parallel_fit",
]

_HOMES = {
    "PAPER_RIDGES": "_choice",
    "ClassStatistics": "_statistics",
    "LayUPClassifier": "_classifier",
    "Layers": "_layers",
    "parallel_fit": "_parallel",
}


if not TYPE_CHECKING:  # to a type checker it would say that any name is there

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_HOMES.get(name, 'encoders')}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

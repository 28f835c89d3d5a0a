"""Frozen networks as scikit-learn transformers: the only place for torch and timm."""

from ._adapted_encoder import AdaptedImageEncoder
from ._cache import FeatureCache
from ._image_encoder import ImageEncoder
from ._module_encoder import ModuleEncoder
from ._text_encoder import TextEncoder

__all__ = [
    "AdaptedImageEncoder",
    "FeatureCache",
    "ImageEncoder",
    "ModuleEncoder",
    "TextEncoder",
]

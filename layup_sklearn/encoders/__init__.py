"""Frozen networks as scikit-learn transformers: the only place for torch and timm."""

from ._adapted_encoder import AdaptedImageEncoder
from ._feature_cache import FeatureCache
from ._image_encoder import ImageEncoder

__all__ = ["AdaptedImageEncoder", "FeatureCache", "ImageEncoder"]

"""Frozen networks as scikit-learn transformers: the only place for torch and timm."""

from ._image_encoder import ImageEncoder

__all__ = ["ImageEncoder"]

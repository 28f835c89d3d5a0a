"""A grid search on images, with a feature cache: what it costs beside one extraction.

    python -m benchmarks.speed.grid

5 ridges x 6 numbers of layers x 3 folds on 300 images of 112 pixels through a ViT-S with
random weights. The plain extraction is one ``transform`` without a cache; the ridge work is
the same search on ready features.
"""

import tempfile

import numpy as np
from sklearn.model_selection import GridSearchCV

from layup_sklearn import FeatureCache, ImageEncoder, Layers, LayUPClassifier
from layup_sklearn.encoders import _image_encoder

from ._timing import seconds

RIDGES = [0.01, 0.1, 1.0, 10.0, 100.0]


class Count:
    """Images that go through the network."""

    def __init__(self):
        self.images = 0
        self.layer_features = _image_encoder.layer_features
        _image_encoder.layer_features = self

    def __call__(self, network, pixels, *args):
        self.images += len(pixels)
        return self.layer_features(network, pixels, *args)


def main():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 112, 112, 3), dtype=np.uint8)
    y = np.arange(300) % 10
    count = Count()
    encoder = ImageEncoder("vit_small_patch16_224", pretrained=False, image_size=112, n_layers=6)
    encoder.transform(images[:64])
    plain = seconds(encoder.transform, images)
    features = encoder.fit(images).transform(images)
    on_features = GridSearchCV(
        LayUPClassifier(Layers(encoder.layer_sizes_)),
        {"n_layers": range(1, 7), "ridge": RIDGES},
        cv=3,
        refit=False,
    )
    ridge_work = seconds(on_features.fit, features, y)
    print(f"plain extraction {plain:.1f} s, ridge work {ridge_work:.1f} s")
    print("cache      images through the network  (whole search - ridge work) / plain extraction")
    with tempfile.TemporaryDirectory() as folder:
        for name, memory in (("in memory", FeatureCache()), ("folder", folder)):
            search = GridSearchCV(
                LayUPClassifier(encoder.set_params(memory=memory)),
                {"encoder__n_layers": range(1, 7), "ridge": RIDGES},
                cv=3,
                refit=False,
            )
            count.images = 0
            whole = seconds(search.fit, images, y)
            print(f"{name:9}  {count.images:26d}  {(whole - ridge_work) / plain:.2f}", flush=True)


if __name__ == "__main__":
    main()

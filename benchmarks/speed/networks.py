"""Which network: its size, its images per second and what six layers of it take.

    python -m benchmarks.speed.networks [device] [repeats]

Random weights: speed does not depend on them. The median over the repeats, which go round the
networks. What is saved is half a Gram matrix of double precision; class sums add 8 bytes per
feature and class. The licence is what timm's configuration of the weights says.
"""

import sys
from statistics import median
from time import perf_counter

import numpy as np

from layup_sklearn import ImageEncoder
from layup_sklearn.encoders._timm import import_timm

CASES = [
    # model with its weights, side, n_images
    ("mobilenetv4_conv_small.e2400_r224_in1k", 224, 128),
    ("tf_efficientnet_lite0.in1k", 224, 64),
    ("vit_small_patch14_dinov2.lvd142m", 112, 64),
    ("vit_small_patch14_dinov2.lvd142m", 224, 32),
    ("vit_base_patch16_224.augreg_in21k", 224, 16),
]


def main(device="cpu", repeats=3):
    timm = import_timm()
    rng = np.random.default_rng(0)
    cases, seconds = [], []
    for name, side, n in CASES:
        encoder = ImageEncoder(name, pretrained=False, image_size=side, device=device)
        n *= 1 if device == "cpu" else 32
        images = rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8)
        cases.append((encoder, images, encoder.transform(images[:8]).shape[1]))
        seconds.append([])
    for _ in range(int(repeats)):
        for (encoder, images, _), taken in zip(cases, seconds):
            start = perf_counter()
            encoder.transform(images)
            taken.append(perf_counter() - start)
    print("| network | side | licence | parameters | images/s | features | saved |")
    print("|---|---|---|---|---|---|---|")
    for (name, side, _), (_, images, d), taken in zip(CASES, cases, seconds):
        n_parameters = sum(p.numel() for p in timm.create_model(name.split(".")[0]).parameters())
        licence = timm.get_pretrained_cfg(name).license
        print(
            f"| `{name}` | {side} | {licence} | {n_parameters / 1e6:.0f} million | "
            f"{len(images) / median(taken):.3g} | {d:,} | {4 * d * (d + 1) / 1e6:.0f} MB |"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])

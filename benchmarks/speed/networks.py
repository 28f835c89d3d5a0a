"""Which network: its size, its images per second and what six layers of it take.

    python -m benchmarks.speed.networks [device] [repeats]

Random weights for images: speed does not depend on them; those for texts are fetched from package
registries. The median over the repeats, which go round the networks. What is saved is half a Gram
matrix of double precision; class sums add 8 bytes per feature and class. The licence is what timm's
configuration of the weights says, or the model's page.
"""

import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from layup_sklearn import ImageEncoder, TextEncoder
from layup_sklearn.encoders._timm import import_timm

from ..networks import minilm, mpnet

CASES = [
    # model with its weights, side, n_images
    ("mobilenetv4_conv_small.e2400_r224_in1k", 224, 128),
    ("tf_efficientnet_lite0.in1k", 224, 64),
    ("vit_small_patch14_dinov2.lvd142m", 112, 64),
    ("vit_small_patch14_dinov2.lvd142m", 224, 32),
    ("vit_base_patch16_224.augreg_in21k", 224, 16),
]
TEXTS = [
    # model, licence, where its weights are, n_texts
    ("sentence-transformers/all-MiniLM-L6-v2", "apache-2.0", minilm, 128),
    ("sentence-transformers/all-mpnet-base-v2", "apache-2.0", mpnet, 32),
]
DOWNLOADS = Path("benchmark_data") / "downloads"
N_TOKENS = 128


def main(device="cpu", repeats=3):
    of_images(device, int(repeats))
    print()
    of_texts(device, int(repeats))


def rates(cases, repeats):
    """Samples a second of each (encoder, samples)."""
    seconds = [[] for _ in cases]
    for encoder, samples in cases:
        encoder.transform(samples[:8])
    for _ in range(repeats):
        for (encoder, samples), taken in zip(cases, seconds):
            start = perf_counter()
            encoder.transform(samples)
            taken.append(perf_counter() - start)
    return [len(samples) / median(taken) for (_, samples), taken in zip(cases, seconds)]


def print_table(unit, size, rows):
    """Rows of name, what is counted by `size` in a sample, licence, module, rate and encoder."""
    print(f"| network | {size} | licence | parameters | {unit} | features | saved |")
    print("|---|---|---|---|---|---|---|")
    for name, n, licence, module, rate, encoder in rows:
        d = sum(encoder.layer_sizes_)
        n_parameters = sum(parameter.numel() for parameter in module.parameters())
        print(
            f"| `{name}` | {n} | {licence} | {n_parameters / 1e6:.0f} million | {rate:.3g} | {d:,} | "
            f"{4 * d * (d + 1) / 1e6:.0f} MB |"
        )


def of_images(device, repeats):
    timm = import_timm()
    rng = np.random.default_rng(0)
    cases = []
    for name, side, n in CASES:
        encoder = ImageEncoder(name, pretrained=False, image_size=side, device=device)
        n *= 1 if device == "cpu" else 32
        cases.append((encoder, rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8)))
    rows = []
    for (name, side, _), (encoder, _), rate in zip(CASES, cases, rates(cases, repeats)):
        module = timm.create_model(name.split(".")[0])
        licence = timm.get_pretrained_cfg(name).license
        rows.append((name, side, licence, module, rate, encoder))
    print_table("images/s", "side", rows)


def of_texts(device, repeats):
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    cases = []
    for _, _, weights, n in TEXTS:
        encoder = TextEncoder(weights(DOWNLOADS), max_length=N_TOKENS, device=device)
        n *= 1 if device == "cpu" else 32
        cases.append((encoder, [f"{i} " + "word " * N_TOKENS for i in range(n)]))
    rows = []
    for (name, licence, *_), (encoder, _), rate in zip(TEXTS, cases, rates(cases, repeats)):
        rows.append((name, N_TOKENS, licence, encoder._network().module, rate, encoder))
    print_table("texts/s", "tokens", rows)


if __name__ == "__main__":
    main(*sys.argv[1:])

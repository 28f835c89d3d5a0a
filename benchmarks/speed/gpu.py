"""What an encoder makes of a GPU: images per second beside the bare network, in the same run.

    python -m benchmarks.speed.gpu [--small]

ViT-B/16 at 224 pixels with random weights, batches of 256. "bare" is the network alone on a
batch that lies on the device, in the same precision; everything else begins with uint8 arrays
or JPEG files (500 x 375) and ends with features of six layers as NumPy arrays. Repeats are
interleaved; cells are medians. Then the whole job, the error against the CPU, and adaptation.
With --small: a tiny network, for a look on any machine.
"""

import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from PIL import Image

from layup_sklearn import AdaptedImageEncoder, ImageEncoder, LayUPClassifier
from layup_sklearn.encoders._timm import import_timm
from layup_sklearn.encoders._torch import inference

timm = import_timm()
import torch

SMALL = "--small" in sys.argv
MODEL, SIDE, BATCH = ("test_vit", 160, 16) if SMALL else ("vit_base_patch16_224", 224, 256)
N_IMAGES, N_FILES, REPEATS = (64, 16, 1) if SMALL else (8192, 512, 3)
SHARE = {"float32": 8, "tf32": 2, "bfloat16": 1}  # fewer images where they take longer
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
PRECISIONS = ["float32", "tf32", "bfloat16"] if DEVICE.type == "cuda" else ["float32"]


def make_images(n, height, width):
    """Smooth pictures with some noise: JPEG files of usual size."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (64, 12, 16, 3), dtype=np.uint8)
    pictures = [np.asarray(Image.fromarray(c).resize((width, height))) for c in coarse]
    return [
        np.clip(pictures[i % 64] + rng.integers(-9, 9, 3), 0, 255).astype(np.uint8)
        for i in range(n)
    ]


def save_files(folder):
    paths = []
    for i, image in enumerate(make_images(N_FILES, 375, 500)):
        Image.fromarray(image).save(Path(folder) / f"{i}.jpg", quality=90)
        paths.append(str(Path(folder) / f"{i}.jpg"))
    return (paths * -(-N_IMAGES // N_FILES))[:N_IMAGES]


def encoder(precision="auto", **options):
    return ImageEncoder(MODEL, pretrained=False, batch_size=BATCH, precision=precision, **options)


def rate(function, n):
    """Images per second of a call that ends with the device idle."""
    start = perf_counter()
    function()
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return n / (perf_counter() - start)


def bare(network, precision, n):
    pixels = torch.randn(BATCH, 3, SIDE, SIDE, device=DEVICE)
    with inference(DEVICE, precision):
        for _ in range(-(-n // BATCH)):
            network.forward_features(pixels)


def compare(network, sources):
    print("| precision | source | images/s | of the bare network |\n|---|---|---|---|", flush=True)
    for precision in PRECISIONS:
        encode, n = encoder(precision).transform, N_IMAGES // SHARE[precision]
        for images in sources.values():
            encode(images[: 2 * BATCH])
        bare(network, precision, n)
        rates = {name: [] for name in ("bare", *sources)}
        for _ in range(REPEATS):
            rates["bare"].append(rate(lambda: bare(network, precision, n), n))
            for name, images in sources.items():
                rates[name].append(rate(lambda: encode(images[:n]), len(images[:n])))
        for name, values in rates.items():
            share = median(values) / median(rates["bare"])
            print(f"| {precision} | {name} | {median(values):,.0f} | {share:.2f} |", flush=True)


def whole_job(images, network):
    """Five tasks, learned as they come; the last cell is the choice of the ridge and a solution."""
    y = np.arange(len(images)) % 50
    LayUPClassifier(encoder()).fit(images[: 2 * BATCH], y[: 2 * BATCH])
    classifier = LayUPClassifier(encoder())

    def learn():
        for task in range(5):
            classifier.partial_fit(images, y + 50 * task)

    speed = rate(learn, 5 * len(images))
    share = speed / rate(lambda: bare(network, "auto", N_IMAGES), N_IMAGES)
    seconds = 1 / rate(lambda: classifier.coef_, 1)
    print(
        f"whole job: {speed:,.0f} images/s, {share:.2f} of the bare network; solution {seconds:.1f} s"
    )


def errors(images, paths):
    reference = encoder(device="cpu")
    for name, source in (("arrays", images[:64]), ("JPEG", paths[:64])):
        expected = reference.transform(source)
        for precision in PRECISIONS:
            found = encoder(precision).transform(source)
            error = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
            print(f"error, {name}, {precision}: mean {error.mean():.1e}, largest {error.max():.1e}")


def adaptation(images):
    for method in ("adaptformer", "ssf", "vpt", "lora"):
        adapted = AdaptedImageEncoder(
            ImageEncoder(MODEL, pretrained=False),
            method=method,
            epochs=3,
            validation_fraction=0,
            random_state=0,
        )
        subset = images[:2048]
        y = np.arange(len(subset)) % 5
        adapted.set_params(epochs=1).fit(subset[:48], y[:48])
        speed = rate(lambda: adapted.set_params(epochs=4).fit(subset, y), 4 * len(subset))
        print(f"adaptation, {method}: {speed:,.0f} training images/s", flush=True)


def main():
    name = torch.cuda.get_device_name() if DEVICE.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}, timm {timm.__version__}\n", flush=True)
    network = timm.create_model(MODEL, pretrained=False).eval().requires_grad_(False).to(DEVICE)
    images = make_images(N_IMAGES, SIDE, SIDE)
    with tempfile.TemporaryDirectory() as folder:
        paths = save_files(folder)
        sources = {
            "arrays": images,
            "arrays, 256 x 256": make_images(N_IMAGES, 256, 256),
            "JPEG": paths,
        }
        compare(network, sources)
        whole_job(images[: N_IMAGES // 2], network)
        errors(images, paths)
    adaptation(images)


if __name__ == "__main__":
    main()

"""Images per second of ``ImageEncoder.transform`` against the bare network.

    python -m benchmarks.speed.extraction [device] [repeats]

The bare network is the same ``timm`` model's ``forward_features`` on ready tensors, in
batches of 32, on the same device and in the same precision. Every repeat runs the bare
network before and after each form of the images; the ratio is to their mean. Random
weights: speed does not depend on them.

Then the bare networks of convolutions as timm makes them, channels-first, against the same
as ``ImageEncoder`` lays them out on the CPU.

Then the peak memory of one call, without the returned features, for 1,000 and 20,000 images
in a memory map, each in a process of its own (a small network).
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

from layup_sklearn import ImageEncoder
from layup_sklearn.encoders._timm import import_timm

from ._timing import seconds

BATCH = 32
CASES = [
    # model, side, n_images, precision, devices
    ("vit_small_patch16_224", 112, 256, "float32", ("cpu", "cuda")),
    ("vit_base_patch16_224", 224, 32, "float32", ("cpu",)),
    ("vit_base_patch16_224", 224, 2048, "float32", ("cuda",)),
    ("vit_base_patch16_224", 224, 2048, "bfloat16", ("cuda",)),
]
MAPS = [
    ("tf_efficientnet_lite0", 112),
    ("resnet50", 112),
    ("mobilenetv3_large_100", 112),
    ("convnext_tiny", 112),
]

MEMORY = """
import resource, sys
import numpy as np
from layup_sklearn import ImageEncoder
images = np.memmap(sys.argv[1], np.uint8, "r", shape=(int(sys.argv[2]), 64, 64, 3))
encoder = ImageEncoder("test_vit", pretrained=False, image_size=32, n_layers=6)
encoder.transform(images[:128])
def resident(field):
    return sum(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(field))
before = resident("RssAnon")
features = encoder.transform(images)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident("RssFile")
print((peak - before - features.nbytes / 1024) / 1024)
"""


def bare(network, tensors, precision):
    device = tensors.device.type
    autocast = torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16")
    with torch.inference_mode(), autocast:
        for batch in tensors.split(BATCH):
            network.forward_features(batch)
    if device == "cuda":
        torch.cuda.synchronize()


def photos(folder, n_images):
    """JPEG files of 500 x 375 pixels with the spectrum of photographs."""
    rng, paths = np.random.default_rng(0), []
    for i in range(n_images):
        coarse = [
            Image.fromarray(rng.integers(0, 256, (s, s, 3), dtype=np.uint8)).resize((500, 375))
            for s in (4, 16, 64, 250)
        ]
        weights = (0.5, 0.25, 0.15, 0.1)
        pixels = sum(w * np.asarray(c, float) for w, c in zip(weights, coarse))
        paths.append(folder / f"{i}.jpg")
        Image.fromarray(pixels.astype(np.uint8)).save(paths[-1], quality=90)
    return paths


def measure(model, side, n_images, precision, device, folder, repeats):
    encoder = ImageEncoder(
        model, pretrained=False, image_size=side, n_layers=6, batch_size=BATCH,
        precision=precision, device=device,
    )  # fmt: skip
    network = encoder._network().module
    arrays = np.random.default_rng(0).integers(0, 256, (n_images, side, side, 3), dtype=np.uint8)
    files = photos(folder, min(n_images, 256)) * (n_images // min(n_images, 256))
    tensors = torch.zeros(n_images, 3, side, side, device=device)
    ratios = {"arrays": [], "JPEG files": []}
    speeds = []
    bare(network, tensors[: 2 * BATCH], precision)
    encoder.transform(arrays[:BATCH])
    for _ in range(repeats):
        for form, images in (("arrays", arrays), ("JPEG files", files)):
            times = [seconds(bare, network, tensors, precision)]
            ours = seconds(encoder.transform, images)
            times.append(seconds(bare, network, tensors, precision))
            speeds.append(n_images / np.mean(times))
            ratios[form].append(np.mean(times) / ours)
    return median(speeds), *(median(values) for values in ratios.values())


def channels_last(model, side, repeats):
    """Images per second channels-first, and how many times as many channels-last."""
    first = import_timm().create_model(model, num_classes=0).eval()
    last = ImageEncoder(model, pretrained=False, image_size=side, device="cpu")._network().module
    tensors = torch.zeros(4 * BATCH, 3, side, side)
    times = [[seconds(bare, n, tensors, "float32") for n in (first, last)] for _ in range(repeats)]
    first, last = np.array(times).T
    return len(tensors) / median(first), median(first / last)


def main(device="cpu", repeats=5):
    torch.set_float32_matmul_precision("high")  # TF32 on GPUs that have it
    print("model                  side  precision  bare images/s  from arrays  from JPEG files")
    for model, side, n_images, precision, devices in CASES:
        if device in devices:
            with tempfile.TemporaryDirectory() as folder:
                speed, *ratios = measure(
                    model, side, n_images, precision, device, Path(folder), int(repeats)
                )
            print(
                f"{model:22} {side:4d}  {precision:9}  {speed:13.1f}  {ratios[0]:11.2f}  "
                f"{ratios[1]:15.2f}",
                flush=True,
            )

    if device == "cpu":
        print("model                  side  channels first, images/s  channels last / first")
        for model, side in MAPS:
            speed, ratio = channels_last(model, side, int(repeats))
            print(f"{model:22} {side:4d}  {speed:24.1f}  {ratio:21.2f}", flush=True)

    print("peak memory of one call without its features, MiB")
    for n_images in (1_000, 20_000):
        with tempfile.NamedTemporaryFile() as file:
            file.truncate(n_images * 64 * 64 * 3)
            arguments = [sys.executable, "-c", MEMORY, file.name, str(n_images)]
            output = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
        print(f"{n_images:6d} images  {float(output):.0f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

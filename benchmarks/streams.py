"""Streams: a data set behind a network, its features on disk, its tasks in any order."""

import argparse
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from layup_sklearn import ImageEncoder
from layup_sklearn.encoders._base import standardise_layers
from layup_sklearn.encoders._torch import torch_view
from layup_sklearn.evaluation import class_incremental_tasks, domain_incremental_tasks

from . import datasets
from .networks import NETWORKS

FIRST_SEED = 1993  # the paper's order of the classes

#: Streams of the studies: data and networks that package registries carry.
REAL_STREAMS = [
    "digits_dinov2",
    "digits_efficientnet",
    "emoji_dinov2",
    "emoji_efficientnet",
    "fashion_dinov2",
    "fashion_large_efficientnet",
    "newsgroups_minilm",
]


@dataclass(eq=False)
class Stream:
    """A prepared stream.

    Attributes
    ----------
    name : str
        "DATASET_NETWORK".
    layers : dict of str to list of ndarray
        "avg", "avg+std" and, of images where the network has class tokens, "token": all
        layers, deepest first.
    dataset : Dataset
    encoder : transformer, default=None
        Of all layers, for methods that change the network.
    auto : dict, default={"pool": "avg", "layer_norm": False}
        What "auto" is for the encoder.
    """

    name: str
    layers: dict
    dataset: datasets.Dataset
    encoder: object = None
    auto: dict = field(default_factory=lambda: {"pool": "avg", "layer_norm": False})

    @property
    def is_class_incremental(self):
        return self.dataset.domain_train is None

    def resolve(self, options):
        """Options of `features`, with what "auto" is here."""
        return {k: self.auto[k] if v == "auto" else v for k, v in options.items()}

    def features(self, n_layers=None, pool="token", layer_norm=False):
        """X_train, X_test and the widths of their layers.

        Where a network does not have a pooling, such as class tokens, it is "avg".
        """
        layers = self.layers.get(pool, self.layers["avg"])[:n_layers]
        X, sizes = np.hstack(layers), [layer.shape[1] for layer in layers]
        if layer_norm:
            standardise_layers(torch_view(X), sizes)
        n_train = len(self.dataset.y_train)
        return X[:n_train], X[n_train:], sizes

    def samples(self, n_layers=None):
        """(X, y, train): class tokens where there are some, all samples, training mask."""
        X = np.hstack(self.layers.get("token", self.layers["avg"])[:n_layers])
        y = np.concatenate([self.dataset.y_train, self.dataset.y_test])
        return X, y, np.arange(len(y)) < len(self.dataset.y_train)

    def tasks(self, seed):
        """Tasks in the order of a seed: index arrays (train, test)."""
        data = self.dataset
        if not self.is_class_incremental:
            domains = data.domains
            if domains is None:
                domains = np.unique(data.domain_train)
                domains = domains[np.random.RandomState(seed).permutation(len(domains))]
            return domain_incremental_tasks(data.domain_train, data.domain_test, domains=domains)
        return class_incremental_tasks(
            data.y_train,
            data.y_test,
            data.n_tasks,
            class_order=data.class_order,
            first_task_size=data.first_task_size,
            random_state=seed,
        )


def split_name(name):
    """(data set, network) of "DATASET_NETWORK"."""
    for network in NETWORKS:
        if name.endswith(f"_{network}") and name.removesuffix(f"_{network}") in datasets.names():
            return name.removesuffix(f"_{network}"), network
    raise SystemExit(
        f"There is no stream {name!r}: it is DATASET_NETWORK, with a data set among "
        f"{', '.join(datasets.names())} and a network among {', '.join(NETWORKS)}."
    )


@lru_cache(maxsize=1)
def load(name, root):
    """A stream by its name; downloads and embeds what is missing below ``root``.

    Interrupted, it goes on where it was: every batch of features is kept at once.
    """
    root = Path(root)
    dataset_name, network = split_name(name)
    dataset = datasets.load(dataset_name, root)
    encoder = NETWORKS[network](root).set_params(verbose=1, memory=root / "features")
    samples = [*dataset.train, *dataset.test]

    def embed(pool):
        encoder.set_params(pool=pool).fit()
        features = encoder.transform(samples)
        return np.split(features, np.cumsum(encoder.layer_sizes_)[:-1], axis=1)

    both = embed("avg+std")
    layers = {"avg": [np.hsplit(layer, 2)[0] for layer in both], "avg+std": both}
    default = type(encoder)()
    if isinstance(encoder, ImageEncoder):
        network = encoder._network()
        if network.has_class_token:
            layers["token"] = embed("token")
        auto = {"pool": default._pool(network), "layer_norm": default._normalises(network)}
    else:
        auto = {"pool": default.pool, "layer_norm": default.layer_norm}
    return Stream(name, layers, dataset, encoder, auto)


def each_stream(description):
    """For the command line of a study: a function that gives the streams, one at a time."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("streams", nargs="*", metavar="STREAM", default=REAL_STREAMS)
    parser.add_argument(
        "--root", type=Path, default=Path("benchmark_data"), help="folder of data and features"
    )
    options = parser.parse_args()
    return lambda: (load(name, options.root) for name in options.streams)

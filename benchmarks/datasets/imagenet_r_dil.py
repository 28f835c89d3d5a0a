"""ImageNet-R by style: 200 classes, domain-incremental over 15 styles.

Folder: as imagenet_r. An image's domain is its file's name up to the first "_" (art_0.jpg).
"""

import os
from dataclasses import replace

import numpy as np

from . import imagenet_r

DOMAINS = [
    *("sketch", "art", "cartoon", "deviantart", "embroidery", "graffiti", "graphic", "misc"),
    *("origami", "painting", "sculpture", "sticker", "tattoo", "toy", "videogame"),
]


def domains_of(paths):
    domains = [os.path.basename(path).partition("_")[0] for path in paths]
    for domain, path in zip(domains, paths):
        if domain not in DOMAINS:
            raise ValueError(
                f'{path} is of no domain: the part of its name before "_" must be one of '
                f"{', '.join(DOMAINS)}."
            )
    return np.array(domains)


def load(root):
    dataset = imagenet_r.load(root)
    return replace(
        dataset,
        domain_train=domains_of(dataset.train),
        domain_test=domains_of(dataset.test),
        domains=DOMAINS,
    )

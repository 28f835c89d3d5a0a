"""Rated sentiment: positive or negative, in tweets, film reviews, product reviews and news.

Domain-incremental over the four sources; from the package vaderSentiment 0.5 (MIT; Hutto and
Gilbert, ICWSM 2014), fetched with pip. Texts with a mean rating beyond 1 on either side; 1,000
of each source at most, a quarter of them to test.
"""

import io
import tarfile
import zipfile

import numpy as np

from . import Dataset
from ._download import download_wheel

SOURCES = {
    "tweets": "tweets_GroundTruth.txt",
    "films": "movieReviewSnippets_GroundTruth.txt",
    "products": "amazonReviewSnippets_GroundTruth.txt",
    "news": "nytEditorialSnippets_GroundTruth.txt",
}


def load(root, n_each=1000):
    files = _read(download_wheel("vaderSentiment==0.5", root / "downloads"))
    rng = np.random.default_rng(0)
    texts, labels, domains, train = [], [], [], []
    for domain, name in SOURCES.items():
        rows = [line.split("\t", 2) for line in files[name].splitlines() if line.strip()]
        rows = [(text, float(rating) > 0) for _, rating, text in rows if abs(float(rating)) > 1]
        rows = [rows[i] for i in rng.permutation(len(rows))[:n_each]]
        texts += [text for text, _ in rows]
        labels += [int(positive) for _, positive in rows]
        domains += [domain] * len(rows)
        train += [i >= len(rows) // 4 for i in range(len(rows))]
    y, domains, train = np.array(labels), np.array(domains), np.array(train)
    return Dataset(
        [text for text, taken in zip(texts, train) if taken],
        y[train],
        [text for text, taken in zip(texts, train) if not taken],
        y[~train],
        domain_train=domains[train],
        domain_test=domains[~train],
    )


def _read(sdist):
    """The rated files by name, from the archive within the archive."""
    with zipfile.ZipFile(sdist) as outer:
        [name] = [n for n in outer.namelist() if n.endswith("hutto_ICWSM_2014.tar.gz")]
        inner = tarfile.open(fileobj=io.BytesIO(outer.read(name)))
    with inner:
        return {
            member.name.rsplit("/", 1)[-1]: inner.extractfile(member)
            .read()
            .decode("utf-8", "replace")
            for member in inner.getmembers()
            if member.name.endswith("_GroundTruth.txt")
            and not member.name.rsplit("/", 1)[-1].startswith("._")
        }

"""Saving and loading: time over that of reading the file, size over half the Gram matrix.

    python -m benchmarks.speed.persistence [n_features ...]

Every load is timed next to a plain ``open(path, "rb").read()`` of the same file, both from
the page cache, which is the harder comparison. Printed are medians, and of the ratios also
the quartiles; the ratio of CPU times does not count the time that other processes took.
Sums of random samples of 100 classes.
"""

import os
import sys
import tempfile
import time

import numpy as np

from layup_sklearn import LayUPClassifier

REPEATS = 21
N_CLASSES = 100


def seconds(function, *args):
    """Wall-clock and CPU time of a call, and what it returned."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function(*args)
    return time.perf_counter() - wall, time.process_time() - cpu, result


def read(path):
    with open(path, "rb") as file:
        return file.read()


def measure(n_features, dtype, folder):
    X = np.random.default_rng(0).standard_normal((300, n_features))
    classifier = LayUPClassifier(dtype=dtype).fit(X, np.arange(300) % N_CLASSES)
    path = os.path.join(folder, "model")
    saving = [seconds(classifier.save, path)[0] for _ in range(5)]
    reading, loading = np.empty((2, REPEATS, 2))
    for repeat in range(REPEATS):
        *reading[repeat], content = seconds(read, path)
        del content
        *loading[repeat], loaded = seconds(LayUPClassifier.load, path)
        same = loaded.statistics_.gram == classifier.statistics_.gram
        assert same.all()
        del loaded, same
    statistics, size = classifier.statistics_, os.path.getsize(path)
    wall, cpu = np.quantile(loading / reading, [0.5, 0.25, 0.75], axis=0).T
    return [
        n_features,
        dtype,
        f"{size / 1e6:.1f}",
        f"{size / (statistics.gram.nbytes / 2 + statistics.class_sum.nbytes):.4f}",
        f"{np.median(saving):.3f}",
        *(f"{np.median(times[:, 0]):.3f}" for times in (reading, loading)),
        *("{:.2f} ({:.2f} to {:.2f})".format(*ratio) for ratio in (wall, cpu)),
    ]


HEADER = ["n_features", "sums", "MB", "size / (half Gram + class sums)", "save, s", "read, s"]
HEADER += ["load, s", "load / read, wall clock", "load / read, CPU"]


def main(sizes):
    rows = [HEADER, ["---"] * len(HEADER)]
    with tempfile.TemporaryDirectory() as folder:
        rows += [measure(size, dtype, folder) for size in sizes for dtype in ("float64", "float32")]
    for row in rows:
        print("|", " | ".join(map(str, row)), "|")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [2304, 4608])

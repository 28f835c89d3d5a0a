"""Shards per second with one and two processes, and what a shard costs besides its features.

    python -m benchmarks.speed.parallel [n_features [n_rows]]

Every shard is some rows of ready features, made where they are learned; each process has one
BLAS thread. One process without joblib is compared with ``parallel_fit`` on one and on two
processes of loky that were started before the clock: shards per second, and the CPU seconds
of all processes together per shard, which do not count what else runs on the machine. "Way
back" is what the coordinating process does for a shard: receive its statistics, add them.

A million images on 8 GPUs, from these numbers: with r images per second on one GPU, shards
of m images, and a way back of w seconds, the GPUs need 10^6 / (8 r) seconds and the
coordinator, meanwhile, w 10^6 / m; it is no bottleneck while m > 8 r w.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import pickle
import sys
import time
from functools import partial

import joblib
import numpy as np
import psutil  # comes with distributed

from layup_sklearn import LayUPClassifier, parallel_fit

N_CLASSES, N_SHARDS, REPEATS = 100, 12, 3


def make_shard(n_rows, n_features, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    return X, rng.integers(0, N_CLASSES, n_rows)


def cpu_seconds():
    process = psutil.Process()
    times = [p.cpu_times() for p in [process, *process.children(recursive=True)]]
    return sum(t.user + t.system for t in times)


def seconds(function, *args, **kwargs):
    wall, cpu = time.perf_counter(), cpu_seconds()
    function(*args, **kwargs)
    return time.perf_counter() - wall, cpu_seconds() - cpu


def make_sums(n_features):
    size = n_features * (n_features + 1) // 2
    return np.ones(size), np.ones((N_CLASSES, n_features))


def add_sums(total, part):
    total.merge(pickle.loads(pickle.dumps(part)))


def learn_in_this_process(shards):
    classifier = LayUPClassifier()
    for shard in shards:
        classifier.partial_fit(*shard())


def main(n_features=2304, n_rows=5000):
    shards = [partial(make_shard, n_rows, n_features, seed) for seed in range(N_SHARDS)]
    runs = {"no joblib": [], "parallel_fit, 1 process": [], "parallel_fit, 2 processes": []}
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        parallel_fit(LayUPClassifier(), shards[:2], n_jobs=2)
        for _ in range(REPEATS):
            for name, n_jobs in zip(runs, (None, 1, 2)):
                fit = partial(parallel_fit, LayUPClassifier(), n_jobs=n_jobs)
                runs[name].append(seconds(fit if n_jobs else learn_in_this_process, shards))
    print(f"{N_SHARDS} shards of {n_rows} rows, {n_features} features, {N_CLASSES} classes")
    print("| | shards per second (least, most) | CPU seconds per shard |")
    print("|---|---|---|")
    for name, times in runs.items():
        wall, cpu = np.sort(times, axis=0).T
        rates = N_SHARDS / wall
        print(f"| {name} | {rates[1]:.2f} ({rates[-1]:.2f}, {rates[0]:.2f}) ", end="")
        print(f"| {cpu[1] / N_SHARDS:.2f} |")
    part, total = (LayUPClassifier().fit(*shard()) for shard in shards[:2])
    with joblib.parallel_config("loky", n_jobs=2):
        send = joblib.Parallel(return_as="generator", batch_size=1)
        wall, cpu = seconds(
            lambda: list(send(joblib.delayed(make_sums)(n_features) for _ in "12345678"))
        )
    add = min(seconds(add_sums, total, part)[0] for _ in range(9))
    print(f"way back of a shard: {cpu / 8:.3f} CPU seconds to send and receive, {add:.3f} s to add")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

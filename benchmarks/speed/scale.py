"""A plan past one machine in numbers: 100 million images, 20,000 classes, 64 GPUs.

    python -m benchmarks.speed.scale

What follows the network is measured on one core with the package's own code, at sizes that take
some minutes, and carried to the plan by the number of operations, or of bytes, that the algebra
needs. Seconds are CPU seconds of one thread, medians over rounds that go through all cases. Images
a second of a GPU are read from benchmarks/results/gpu.md. The law of the solution is checked on a
case that it was not made from. benchmarks/results/scale.md says which law carries what.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
import copy
import pickle
import re
import tracemalloc
import warnings
from math import log2
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np

from layup_sklearn import LayUPClassifier, parallel_fit

N_IMAGES, N_CLASSES, N_GPUS, SIZES = 100_000_000, 20_000, 64, (2304, 4608)
NETWORK = 1.25e9  # bytes a second between two machines: 10 Gbit/s
JPEG = 1e5  # bytes of a picture
TRIED = 4  # ridges: three to five on real streams
SHARD = 4096  # rows
ROUNDS = 3
SOLVED = [(576, 5000), (1152, 5000), (1152, 10_000)]  # features, classes
CHECK = (2304, 20_000)
RULES = "gaussian", "ridge"


def make_rows(n_features, n_classes, n_rows):
    """Random rows around class means, of a spectrum that decays."""
    rng = np.random.default_rng(0)
    y = np.arange(n_rows) % n_classes
    X = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    X += 0.7 * rng.standard_normal((n_classes, n_features), dtype=np.float32)[y]
    return X * np.arange(1, n_features + 1, dtype=np.float32) ** -0.5, y


def learned(d, K, rule="gaussian"):
    X, y = make_rows(d, K, 2 * K)
    return LayUPClassifier(rule=rule).fit(X, y)


def seconds(function, *args):
    start = process_time()
    function(*args)
    return process_time() - start


def peak(function, *args):
    """Bytes of arrays at the worst moment of a call, above those before it."""
    tracemalloc.start()
    function(*args)
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return largest


def solve(classifier):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # random features tell little about labels
        return classifier.ridge_


def state_bytes(d, K, sent=False):
    return 8 * (d * d / (2 if sent else 1) + K * d)


def operations(d, K, rule, n_tried=TRIED):
    """Of the solution where K > d: Cholesky factors, and products with matrices of K x d.

    Each ridge: a factor, and a triangular solve with C'; then the coefficients. The Gaussian rule
    forms, factorises and solves with a matrix of d x d for each of five values of phi.
    """
    work = n_tried * (d**3 / 3 + K * d**2) + K * d**2
    return work + (5 * (d**3 / 3 + 3 * K * d**2) + K * d**2 if rule == "gaussian" else 0)


def measure_sums():
    """Seconds a row of `parallel_fit` on shards of 100 classes, by number of features."""
    shards = {d: 2 * [make_rows(d, 100, SHARD)] for d in SIZES}
    taken = {d: [] for d in SIZES}
    for _ in range(ROUNDS):
        for d, two in taken.items():
            two.append(seconds(parallel_fit, LayUPClassifier(), shards[d]) / (2 * SHARD))
    return {d: median(times) for d, times in taken.items()}


def measure_solutions():
    """Rows (d, K, rule, ridges tried, seconds, operations a second), and peaks in bytes."""
    cases = [(d, K, rule) for d, K in SOLVED for rule in RULES]
    models, rows, peaks = {case: learned(*case) for case in cases}, [], {}
    taken, n_tried = {case: [] for case in cases}, {}
    for _ in range(ROUNDS):
        for case, model in models.items():
            copied = copy.deepcopy(model)
            taken[case].append(seconds(solve, copied))
            n_tried[case] = len(copied.ridge_scores_)
    for case, model in models.items():
        rate = operations(*case, n_tried[case]) / median(taken[case])
        rows.append((*case, n_tried[case], median(taken[case]), rate))
        peaks[case] = peak(solve, copy.deepcopy(model))
    return rows, peaks


def fit_memory(peaks, rule):
    """(p, q): the peak is p numbers for each of d x d and q for each of K x d."""
    cases = [(d, K) for d, K, of in peaks if of == rule]
    sizes = np.array([(d * d, K * d) for d, K in cases], dtype=float)
    numbers = np.array([peaks[d, K, rule] / 8 for d, K in cases])
    return np.linalg.lstsq(sizes, numbers)[0]


def measure_sending():
    """Seconds for each byte of the state that is sent: to pack and unpack, and to merge."""
    d, K = 1152, 10_000
    here, there = learned(d, K), learned(d, K)
    packing, adding = [], []
    for _ in range(2 * ROUNDS):
        packing.append(seconds(lambda: pickle.loads(pickle.dumps(there.statistics_))))
        adding.append(seconds(here.merge, there))
    size = len(pickle.dumps(there.statistics_))
    assert abs(size / state_bytes(d, K, sent=True) - 1) < 0.01
    return median(packing) / size, median(adding) / size


def measure_answers():
    """Seconds a number of the coefficients, of one sample alone and in 1,000; bytes a class."""
    d, K = 1152, 10_000
    model, X = learned(d, K), make_rows(d, K, 1000)[0]
    solve(model)
    model.predict(X[:1])
    alone, many = [], []
    for _ in range(2 * ROUNDS):
        alone += [seconds(model.predict, X[i : i + 1]) for i in range(10)]
        many.append(seconds(model.predict, X) / len(X))
    rows = np.concatenate([X, X, X])
    return (
        median(alone) / (K * d),
        median(many) / (K * d),
        peak(model.predict, rows) / K,
    )


def gpu_rate():
    """Images a second of one H100, from JPEG files to features."""
    text = (Path(__file__).parents[1] / "results" / "gpu.md").read_text()
    found = re.search(r"\| bfloat16 \| JPEG files.*?\| ([\d,]+) \|", text)
    return int(found[1].replace(",", ""))


def plan(d, images_a_second, per_row, rate, memory, sending, answers):
    """What each part takes with d features."""
    K, sent = N_CLASSES, state_bytes(d, N_CLASSES, sent=True)
    hop = sent * (1 / NETWORK + sum(sending))
    alone, many, per_class = answers
    rows = {
        "embedding, hours of all GPUs": f"{N_IMAGES / images_a_second / N_GPUS / 3600:.2f}",
        "pictures to read for it, GB a second": f"{images_a_second * N_GPUS * JPEG / 1e9:.0f}",
        "sums, hours of one core": f"{N_IMAGES * per_row[d] / 3600:.3g}",
        "sums, cores beside each GPU that keep up": f"{images_a_second * per_row[d]:.2g}",
        "Gram matrix, GB": f"{8 * d * d / 1e9:.2f}",
        "class sums, GB": f"{8 * K * d / 1e9:.2f}",
        "state as it is sent or saved, GB": f"{sent / 1e9:.2f}",
        "merging, GB that are sent": f"{(N_GPUS - 1) * sent / 1e9:.0f}",
        "merging as a tree, seconds": f"{log2(N_GPUS) * hop:.0f}",
        "merging into one process, seconds": f"{(N_GPUS - 1) * hop:.0f}",
    }
    for rule in RULES:
        p, q = memory[rule]
        peaked = 8 * (p * d * d + q * K * d) + state_bytes(d, K)
        rows[f"solution, `{rule}`: GB of memory"] = f"{peaked / 1e9:.1f}"
        minutes = operations(d, K, rule) / rate[rule] / 60
        rows[f"solution, `{rule}`: minutes of one core"] = f"{minutes:.1f}"
    rows["one answer alone, ms"] = f"{1e3 * alone * K * d:.0f}"
    rows["one answer of 1,000 in a call, ms"] = f"{1e3 * many * K * d:.1f}"
    rows["memory of `predict` for any number of samples, GB"] = f"{per_class * K / 1e9:.2f}"
    return rows


def main():
    images_a_second, per_row = gpu_rate(), measure_sums()
    cases, peaks = measure_solutions()
    sending, answers = measure_sending(), measure_answers()
    rate = {rule: [case[-1] for case in cases if case[2] == rule][-1] for rule in RULES}
    memory = {rule: fit_memory(peaks, rule) for rule in RULES}
    model = learned(*CHECK)
    took = seconds(solve, model)
    law = operations(*CHECK, "gaussian", len(model.ridge_scores_)) / rate["gaussian"]
    few, many = (plan(d, images_a_second, per_row, rate, memory, sending, answers) for d in SIZES)
    print_table(["features", *SIZES], *((part, few[part], many[part]) for part in few))
    print_table(
        ["features", "classes", "rule", "ridges tried", "s", "GFLOP/s", "peak, GB"],
        *(
            (*case[:4], f"{case[4]:.1f}", f"{case[5] / 1e9:.0f}", f"{peaks[case[:3]] / 1e9:.2f}")
            for case in cases
        ),
    )
    units = {f"sums, {d} features, GFLOP/s": d * d / per_row[d] / 1e9 for d in SIZES}
    units |= {"state packed and unpacked, s a GB": 1e9 * sending[0]}
    units |= {"state merged, s a GB": 1e9 * sending[1]}
    for rule, (p, q) in memory.items():
        units |= {f"peak, {rule}: of d x d": p, f"peak, {rule}: of K x d": q}
    units |= {f"solution of {CHECK}, s: by the law": law, "the same, measured": took}
    print_table(["", ""], *((name, f"{value:.3g}") for name, value in units.items()))


def print_table(*rows):
    for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]]:
        print("|", " | ".join(map(str, row)), "|")
    print()


if __name__ == "__main__":
    main()

"""What many classes cost, beside plain sums: time, the size of the state, peak memory.

    python -m benchmarks.speed.classes [n_classes ...]

768 features, 20,000 samples (40,000 from 20,000 classes on). The reference, interleaved with
``fit``, which only sums, is what the sums cannot do without: X'X as one dsyrk of the rows in
float64, and the rows of each class added up as a sparse one-hot matrix times them.

"state", "fit", "new class" and "forget" are numbers of 8 bytes, divided by d^2 + K d + K: the
arrays of the sums, and the peak of traced memory (the sums included, the samples not) in ``fit``,
in a ``partial_fit`` of one sample of a new class and in ``forget`` of 100 samples.
"""

import sys
import tracemalloc
from statistics import median

import numpy as np
from scipy.linalg.blas import dsyrk
from scipy.sparse import csc_array

from layup_sklearn import LayUPClassifier

from ._timing import seconds

N_FEATURES = 768


def make_classes(n_classes):
    """Each class has samples; a mean, class means and a spectrum that decays."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(20_000 if n_classes < 20_000 else 40_000) % n_classes)
    X = rng.standard_normal((len(y), N_FEATURES), dtype=np.float32)
    X += 0.5 + 0.3 * rng.standard_normal((n_classes, N_FEATURES), dtype=np.float32)[y]
    return 30 * np.arange(1, N_FEATURES + 1, dtype=np.float32) ** -0.7 * X, y


def plain_sums(X, y, n_classes):
    X = X.astype(np.float64)
    onehot = csc_array((np.ones(len(y)), y, np.arange(len(y) + 1)), shape=(n_classes, len(y)))
    return dsyrk(1.0, X.T, lower=1), onehot @ X, np.bincount(y, minlength=n_classes)


def peak_numbers(function, *args):
    """Peak of traced memory in numbers of 8 bytes, with what was traced before the call."""
    tracemalloc.reset_peak()
    function(*args)
    return tracemalloc.get_traced_memory()[1] / 8


def n_numbers(statistics):
    return statistics.gram.size + statistics.class_sum.size + statistics.class_count.size


def peaks(X, y, n_classes):
    tracemalloc.start()
    classifier = LayUPClassifier()
    found = [
        peak_numbers(classifier.fit, X, y),
        peak_numbers(classifier.partial_fit, X[:1], [n_classes]),
        peak_numbers(classifier.forget, X[:100], y[:100]),
    ]
    tracemalloc.stop()
    return found


def main(sizes):
    print("n_classes  plain s  fit / plain  state  solve s  predict s   fit  new class  forget")
    for n_classes in sizes:
        X, y = make_classes(n_classes)
        rows = []
        for _ in range(5):
            plain_s = seconds(plain_sums, X, y, n_classes)
            classifier = LayUPClassifier()
            rows.append([plain_s, seconds(classifier.fit, X, y) / plain_s])
        plain_s, ratio = (median(column) for column in zip(*rows))
        state = n_numbers(classifier.statistics_)
        solve_s = seconds(getattr, classifier, "coef_")
        predict_s = seconds(classifier.predict, X[:1000])
        del classifier
        least = N_FEATURES**2 + n_classes * N_FEATURES + n_classes
        cells = [numbers / least for numbers in peaks(X, y, n_classes)]
        print(
            f"{n_classes:9,d}  {plain_s:7.2f}  {ratio:11.2f}  {state / least:5.2f}  "
            f"{solve_s:7.2f}  {predict_s:9.3f}  {cells[0]:4.2f}  {cells[1]:9.2f}  {cells[2]:6.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [100, 1_000, 10_000, 20_000])

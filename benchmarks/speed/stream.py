"""What a stream costs per sample, as ratios to the bare update in BLAS.

    python -m benchmarks.speed.stream [n_features ...]

Ours is ``partial_fit`` alone; the one solve that a later prediction needs is printed
beside it. References, interleaved: the bare rank-k update of the Gram matrix (dsyr for
one sample, dsyrk for more), scikit-learn's ``SGDClassifier.partial_fit``, and streaming
LDA (running class means and covariance, with a pseudo-inverse per batch, as Avalanche's
StreamingLDA needs one before it can predict).
"""

import sys
from statistics import median
from time import perf_counter

import numpy as np
from scipy.linalg.blas import dsyr, dsyrk
from sklearn.linear_model import SGDClassifier

from layup_sklearn import LayUPClassifier

from ..methods.streaming_lda import StreamingLDA
from .ridge import N_CLASSES, make_task


class BareUpdate:
    def __init__(self, n_features):
        self.gram = np.zeros((n_features, n_features), order="F")

    def partial_fit(self, X, y):
        if len(X) == 1:
            dsyr(1.0, X[0].astype(np.float64), a=self.gram, lower=1, overwrite_a=1)
        else:
            X = X.astype(np.float64)
            dsyrk(1.0, X.T, beta=1.0, c=self.gram, lower=1, overwrite_c=1)


def seconds(learner, X, y):
    start = perf_counter()
    learner.partial_fit(X, y)
    return perf_counter() - start


def main(sizes):
    print(
        "n_features  batch  bare update ms  ours / bare  SGD / ours  streaming LDA / ours  solve s"
    )
    for n_features in sizes:
        X, y = make_task(n_features, 4, n_samples=3000)
        sgd = SGDClassifier().partial_fit(X[:1000], y[:1000], classes=np.arange(N_CLASSES))
        ours = LayUPClassifier().partial_fit(X, y)
        bare = BareUpdate(n_features)
        lda = StreamingLDA().partial_fit(X[:1], y[:1], classes=np.arange(N_CLASSES))
        for batch in (1, 10, 100):
            times = []
            for i in range(31 if batch < 100 else 11):
                rows = slice(i * batch, (i + 1) * batch)
                times.append([seconds(learner, X[rows], y[rows]) for learner in (bare, ours, sgd)])
            medians = [median(column) for column in zip(*times)]
            repeats = 5 if n_features < 1000 else 1
            slow = median(seconds(lda, X[:batch], y[:batch]) for _ in range(repeats))
            start = perf_counter()
            ours.predict(X[:1])
            solve = perf_counter() - start
            print(
                f"{n_features:10d}  {batch:5d}  {1e3 * medians[0]:14.2f}  "
                f"{medians[1] / medians[0]:11.2f}  {medians[2] / medians[1]:10.1f}  "
                f"{slow / medians[1]:20.0f}  {solve:7.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [768, 2304, 4608])

"""What a task costs: update, choice of the ridge and solution, as ratios.

    python -m benchmarks.speed.ridge [n_features ...]

Ours is the second task of 5,000 samples and 100 classes on top of a first one,
and the first task alone. Two references run interleaved with it:

floor    X'X as one float64 syrk, one Cholesky, one solve: no choice at all.
authors  4 folds x 16 ridges, a dense float32 LU solve each, on top of the old sums, then
         the update and one more solve (the procedure of the authors' code, written anew).
         From 9,000 features on, one of its solves is timed and counted 65 times, the sums
         of the folds not at all.

The last column is the second task with float32 sums against float64 sums.
"""

import sys
from statistics import median

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import dsyrk
from sklearn.model_selection import StratifiedKFold

from layup_sklearn import PAPER_RIDGES, LayUPClassifier

from ._timing import seconds

N_SAMPLES, N_CLASSES = 5000, 100


def make_task(n_features, seed, n_samples=N_SAMPLES):
    """Rows with a mean, class means and a spectrum that decays, like a network's."""
    rng = np.random.default_rng(seed)
    scales = np.random.default_rng(0).permutation(np.arange(1, n_features + 1) ** -0.7)
    means = np.random.default_rng(1).standard_normal((N_CLASSES, n_features))
    y = rng.integers(0, N_CLASSES, n_samples)
    X = scales * (0.5 + 0.3 * means[y] + rng.standard_normal((n_samples, n_features)))
    return (30 * X).astype(np.float32), y


def floor(X, y):
    X = X.astype(np.float64)
    gram = dsyrk(1.0, X.T, lower=1)
    gram[np.diag_indices_from(gram)] += 1.0
    return cho_solve(cho_factor(gram, lower=True), X.T @ np.eye(N_CLASSES)[y])


def authors(X, y, gram, class_sum):
    onehot = np.eye(N_CLASSES, dtype=np.float32)[y]
    identity = np.eye(X.shape[1], dtype=np.float32)
    accuracy = np.zeros((4, len(PAPER_RIDGES)))
    for fold, (train, test) in enumerate(StratifiedKFold(4).split(X, y)):
        fold_gram = X[train].T @ X[train] + gram
        fold_sum = X[train].T @ onehot[train] + class_sum
        for i, ridge in enumerate(PAPER_RIDGES):
            W = np.linalg.solve(fold_gram + np.float32(ridge) * identity, fold_sum)
            accuracy[fold, i] = ((X[test] @ W).argmax(axis=1) == y[test]).mean()
    ridge = np.float32(PAPER_RIDGES[accuracy.mean(axis=0).argmax()])
    gram, class_sum = gram + X.T @ X, class_sum + X.T @ onehot
    return np.linalg.solve(gram + ridge * identity, class_sum)


def authors_at_least(X, y, gram, class_sum):
    identity = np.eye(len(gram), dtype=np.float32)
    return 65 * seconds(np.linalg.solve, gram + identity, class_sum)


def ours(classifier, X, y):
    classifier.partial_fit(X, y)
    return classifier.coef_


def main(sizes):
    print(
        "n_features  floor s  first task / floor  second task / floor  authors / second task"
        "  factorisations  float32 / float64"
    )
    for n_features in sizes:
        first, second = (make_task(n_features, seed) for seed in (2, 3))
        gram = first[0].T @ first[0]
        class_sum = first[0].T @ np.eye(N_CLASSES, dtype=np.float32)[first[1]]
        rows = []
        for _ in range(3 if n_features < 9000 else 1):
            classifier, single = LayUPClassifier(), LayUPClassifier(dtype="float32")
            floor_s, first_s = seconds(floor, *second), seconds(ours, classifier, *first)
            tried = [len(classifier.ridge_scores_)]
            second_s = seconds(ours, classifier, *second)
            tried.append(len(classifier.ridge_scores_))
            ours(single, *first)
            single_s = seconds(ours, single, *second)
            if n_features < 9000:
                authors_s = seconds(authors, *second, gram, class_sum)
            else:
                authors_s = authors_at_least(*second, gram, class_sum)
            ratios = first_s / floor_s, second_s / floor_s, authors_s / second_s
            rows.append([floor_s, *ratios, single_s / second_s])
        cells = [median(column) for column in zip(*rows)]
        print(
            f"{n_features:10d}  {cells[0]:7.2f}  {cells[1]:18.2f}  {cells[2]:19.2f}  "
            f"{cells[3]:21.1f}  {tried[0]:>5} and {tried[1]:<4}  {cells[4]:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [768, 2304, 4608, 9216])

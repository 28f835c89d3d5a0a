"""What learning one sample at a time costs, as ratios to recursive least squares.

    python -m benchmarks.speed.online [n_features ...]

After a start batch of 2,000 samples of 50 classes, each sample is predicted, then learned, by
each learner in turn, in random order; "accuracy" is the share of right predictions.

RLS             recursive least squares: one triangle of (G + ridge I)^-1 and the coefficients,
                updated by dsymv, dger and dsyr, with nothing around them.
ours            the same model (rule='ridge'), with the same fixed ridge and with the ridge chosen
                anew; then the Gaussian rule, with a fixed ridge and as it comes.
fresh solution  the sums by dsyr, then a Cholesky factorisation and a solve each time.
SGD, PA         scikit-learn's SGDClassifier, and with passive-aggressive steps (from version 1.8).
river           softmax and one-vs-rest logistic regression in river's adapter to scikit-learn,
                which makes a dict of each row; where river is installed.

SGD, PA and river get rows that were standardised off the clock. The fresh solution and river are
timed on every 20th and 50th sample; they take those between in one call off the clock. Then ours
learns without predicting, beside the bare dsyr of the sums. The second table is interactive
labelling: one label is learned, then 1,000 rows in float64 are scored. On a busy machine set
OPENBLAS_NUM_THREADS=1: threads that wait for each other spoil short calls.
"""

import sys
import warnings
from collections import defaultdict
from functools import partial
from importlib.util import find_spec
from statistics import mean, median
from time import perf_counter

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import dger, dsymv, dsyr
from scipy.linalg.lapack import dpotri
from sklearn.linear_model import SGDClassifier

from layup_sklearn import LayUPClassifier

from .stream import BareUpdate

N_CLASSES, N_START, N_WARM, N_POOL, N_LABELS = 50, 2000, 10, 1000, 100
RIDGE = 1000.0
FIXED, AUTO = f"ours, rule='ridge', ridge={RIDGE}", "ours, rule='ridge', ridge='auto'"


def make_stream(n_features, n_samples):
    """As ``make_task``, with classes that differ in the hundred largest columns."""
    rng = np.random.default_rng(0)
    scales = 30 * np.arange(1, n_features + 1) ** -0.7
    means = np.full((N_CLASSES, n_features), 0.5)
    means[:, :100] += 0.5 * rng.standard_normal((N_CLASSES, 100))
    y = rng.permutation(np.arange(n_samples) % N_CLASSES)
    X = scales * (means[y] + rng.standard_normal((n_samples, n_features)))
    return X.astype(np.float32), y


class FreshSolution(BareUpdate):
    def __init__(self, X, y):
        super().__init__(X.shape[1])
        self.class_sum = np.zeros((N_CLASSES, X.shape[1]))
        self.partial_fit(X, y)

    def partial_fit(self, X, y):
        super().partial_fit(X, y)
        np.add.at(self.class_sum, y, X)

    def factor(self):
        shifted = self.gram.copy(order="F")
        shifted[np.diag_indices_from(shifted)] += RIDGE
        return cho_factor(shifted, lower=True, overwrite_a=True, check_finite=False)

    def decision_function(self, X):
        return X @ cho_solve(self.factor(), self.class_sum.T, check_finite=False)

    def predict(self, X):
        return self.decision_function(X).argmax(axis=1)


class RecursiveLeastSquares:
    def __init__(self, X, y):
        sums = FreshSolution(X, y)
        factor = sums.factor()
        self.coef = np.asfortranarray(cho_solve(factor, sums.class_sum.T))
        self.inverse, _ = dpotri(factor[0], lower=1, overwrite_c=1)

    def partial_fit(self, X, y):
        x = X[0].astype(np.float64)
        gain = dsymv(1.0, self.inverse, x, lower=1)
        scale = 1 / (1 + x @ gain)
        error = -(x @ self.coef)
        error[y[0]] += 1
        self.coef = dger(scale, gain, error, a=self.coef, overwrite_a=1)
        self.inverse = dsyr(-scale, gain, a=self.inverse, lower=1, overwrite_a=1)

    def decision_function(self, X):
        return X @ self.coef

    def predict(self, X):
        return self.decision_function(X).argmax(axis=1)


def ridge_learners(X, y):
    """name: (learner of the start batch, its rows, of how many samples it is timed on one)."""
    start = X[:N_START], y[:N_START]
    return {
        "RLS": (RecursiveLeastSquares(*start), X, 1),
        FIXED: (LayUPClassifier(rule="ridge", ridge=RIDGE).partial_fit(*start), X, 1),
        AUTO: (LayUPClassifier(rule="ridge").partial_fit(*start), X, 1),
        f"ours, ridge={RIDGE}": (LayUPClassifier(ridge=RIDGE).partial_fit(*start), X, 1),
        "ours, as it comes": (LayUPClassifier().partial_fit(*start), X, 1),
        "fresh solution": (FreshSolution(*start), X, 20),
    }


def gradient_learners(X, y):
    X = (X - X[:N_START].mean(axis=0)) / X[:N_START].std(axis=0)
    learners = {
        "SGD": (SGDClassifier(), X, 1),
        "PA": (SGDClassifier(penalty=None, learning_rate="pa1", eta0=1.0), X, 1),
    }
    if find_spec("river"):
        learners |= {name: (learner, X, 50) for name, learner in river_learners()}
    for learner, _, _ in learners.values():
        learner.partial_fit(X[:N_START], y[:N_START], classes=np.arange(N_CLASSES))
    return learners


def river_learners():
    from river.compat import convert_river_to_sklearn
    from river.linear_model import LogisticRegression, SoftmaxRegression
    from river.multiclass import OneVsRestClassifier

    yield "river, softmax", convert_river_to_sklearn(SoftmaxRegression())
    one_vs_rest = OneVsRestClassifier(LogisticRegression())
    yield "river, one-vs-rest", convert_river_to_sklearn(one_vs_rest)


def sums_alone(X, y):
    learners = {"bare dsyr": BareUpdate(X.shape[1]), "ours, learning": LayUPClassifier(ridge=RIDGE)}
    for learner in learners.values():
        learner.partial_fit(X[:N_START], y[:N_START])
    return {name: (learner, X, 1) for name, learner in learners.items()}


def predict_and_learn(learner, X, y):
    labels = learner.predict(X)
    learner.partial_fit(X, y)
    return labels


def learn(learner, X, y):
    learner.partial_fit(X, y)
    return []


def learn_and_score(pool, learner, X, y):
    learner.partial_fit(X, y)
    learner.decision_function(pool)
    return []


def run(learners, y, step, n_steps):
    """Seconds of the turns of each learner, and the labels it predicted from N_START on."""
    rng, seconds, labels = np.random.default_rng(0), defaultdict(list), defaultdict(list)
    for i in range(N_START, N_START + N_WARM + n_steps):
        for name in rng.permutation(list(learners)):
            learner, X, every = learners[name]
            if (i + 1) % every:
                continue
            if every > 1:
                skipped = slice(i + 1 - every, i)
                labels[name].extend(step(learner, X[skipped], y[skipped]))
            start = perf_counter()
            new = step(learner, X[i : i + 1], y[i : i + 1])
            if i >= N_START + N_WARM:
                seconds[name].append(perf_counter() - start)
            labels[name].extend(new)
    return {name: (seconds[name], np.array(labels[name])) for name in learners}


def share(labels, others):
    n = min(len(labels), len(others))
    return f"{np.mean(labels[:n] == others[:n]):.3f}" if n else "-"


def print_rows(n_features, turns, y):
    """Ours is divided by the first learner, the others by ours with a fixed ridge."""
    first = next(iter(turns))
    for name, (seconds, labels) in turns.items():
        of = first if name == first or name.startswith("ours") else FIXED
        average, middle = mean(seconds), median(seconds)
        print(
            f"{n_features:10d}  {name:18s}  {len(seconds):5d}  {1e3 * average:8.3f}  "
            f"{1e3 * middle:9.3f}  {average / mean(turns[of][0]):6.2f}  "
            f"{middle / median(turns[of][0]):8.2f}  {of:15s}  "
            f"{share(labels, turns[first][1]):>11s}  {share(labels, y[N_START:]):>8s}",
            flush=True,
        )


def main(sizes):
    warnings.filterwarnings("ignore", "The number of unique classes", module="river")
    print(
        "n_features  learner             turns   mean ms  median ms  / mean  / median"
        "  of               same as RLS  accuracy"
    )
    for n_features in sizes:
        n_steps = 600 if n_features < 4000 else 300
        X, y = make_stream(n_features, N_START + N_WARM + n_steps)
        learners = ridge_learners(X, y) | gradient_learners(X, y)
        print_rows(n_features, run(learners, y, predict_and_learn, n_steps), y)
        print_rows(n_features, run(sums_alone(X, y), y, learn, n_steps), y)
    print(f"One label learned, {N_POOL:,d} rows scored")
    for n_features in sizes:
        X, y = make_stream(n_features, N_START + N_WARM + N_LABELS + N_POOL)
        pool = X[-N_POOL:].astype(np.float64)
        step = partial(learn_and_score, pool)
        print_rows(n_features, run(ridge_learners(X, y), y, step, N_LABELS), y)


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [768, 2304, 4608])

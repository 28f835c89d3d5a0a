"""How to choose the ridge, and the number of layers: a study on real streams.

    python -m benchmarks.ridge_choice [--root benchmark_data] [STREAM ...]

Five class-incremental tasks, three class orders, the last one and the last four layers.
Every rule chooses anew after each task; the table shows the accuracy on all classes seen
after the last task (final) and its mean over the tasks (average), in %.
"""

import time

import numpy as np
from scipy.linalg import eigh
from sklearn.model_selection import GridSearchCV

from layup_sklearn import PAPER_RIDGES, ClassStatistics, Layers, LayUPClassifier
from layup_sklearn.evaluation import class_incremental_tasks, evaluate_continual

from .streams import each_stream

N_TASKS, N_ORDERS = 5, 3
GRID = 10.0 ** -np.arange(0, 10.01, 0.5)  # times the trace of the Gram matrix


class Spectrum:
    """Reference for whole ridge paths: one eigendecomposition of the Gram matrix."""

    def __init__(self, statistics):
        values, self.vectors = eigh(statistics.gram)
        self.values = np.maximum(values, 0)
        self.rotated_sum = statistics.class_sum @ self.vectors
        self.n = statistics.class_count.sum()

    def coef(self, ridge):
        return (self.rotated_sum / (self.values + ridge)) @ self.vectors.T

    def degrees_of_freedom(self, ridge):
        return (self.values / (self.values + ridge)).sum()


def squared_error(statistics, coef):
    """Of the one-hot labels behind the sums: tr Y'Y - 2 tr W C' + tr W G W'."""
    fitted = np.vdot(coef @ statistics.gram, coef)
    return statistics.class_count.sum() - 2 * np.vdot(coef, statistics.class_sum) + fitted


def by_evidence_without_means(stream):
    """Evidence with zero means for the one-hot columns."""
    values, n = stream.spectrum.values, stream.sums.class_count.sum()
    squares, n_classes = (stream.spectrum.rotated_sum**2).sum(axis=0), len(stream.sums.classes)
    ridges = stream.grid[:, np.newaxis]
    quad = n - (squares / (values + ridges)).sum(axis=1) + 0.01
    cost = n * np.log(quad / (n * n_classes)) + np.log1p(values / ridges).sum(axis=1)
    return stream.grid[np.argmin(cost)]


def by_leave_one_out(stream):
    onehot = (stream.y[:, np.newaxis] == stream.sums.classes).astype(float)
    rotated = stream.X @ stream.spectrum.vectors
    errors = []
    for ridge in stream.grid:
        shrunk = rotated / (stream.spectrum.values + ridge)
        leverage = (shrunk * rotated).sum(axis=1)
        residual = onehot - shrunk @ stream.spectrum.rotated_sum.T
        errors.append(((residual / (1 - leverage)[:, np.newaxis]) ** 2).sum())
    return stream.grid[np.argmin(errors)]


def by_gcv(stream):
    n, spectrum = stream.spectrum.n, stream.spectrum
    errors = [
        squared_error(stream.sums, spectrum.coef(ridge))
        / max(n - spectrum.degrees_of_freedom(ridge), 1e-9) ** 2
        for ridge in stream.grid
    ]
    return stream.grid[np.argmin(errors)]


def by_half_sums(stream):
    halves = [half.with_classes(stream.sums.classes) for half in stream.halves]
    spectra = [Spectrum(half) for half in halves]
    errors = [
        squared_error(halves[1], spectra[0].coef(ridge / 2))
        + squared_error(halves[0], spectra[1].coef(ridge / 2))
        for ridge in stream.grid
    ]
    return stream.grid[np.argmin(errors)]


RULES = {
    "evidence": lambda stream: stream.by_evidence,
    "a third of it": lambda stream: stream.by_evidence / 10**0.5,
    "evidence without means": by_evidence_without_means,
    "leave-one-out, newest batch": by_leave_one_out,
    "GCV": by_gcv,
    "4 folds, newest batch (the paper)": lambda stream: stream.by_folds,
    "two half-sums": by_half_sums,
}


def seen_sums(classifier):
    """Without the classes of tasks to come, which `evaluate_continual` declares."""
    statistics = classifier.statistics_
    return statistics.with_classes(statistics.classes[statistics.class_count > 0])


class Learned:
    """What the rules may look at after a task, and the samples on which they are compared."""

    def __init__(self, classifier, batch, test, halves=(), by_folds=None):
        self.sums, self.by_evidence = seen_sums(classifier), classifier.ridge_
        self.spectrum = Spectrum(self.sums)
        self.grid = self.spectrum.values.sum() * GRID
        self.X, self.y = batch
        self.halves, self.by_folds = halves, by_folds
        seen = np.isin(test[1], self.sums.classes)
        self.held_out = test[0][seen], test[1][seen]

    def accuracy(self, ridge):
        X, y = self.held_out
        scores = X @ self.spectrum.coef(ridge).T
        return 100 * (self.sums.classes[scores.argmax(axis=1)] == y).mean()

    def in_hindsight(self):
        return max(map(self.accuracy, self.grid))


def ridges_by_folds(tasks, *data):
    """The paper's choice after each task."""
    ridges, paper = [], LayUPClassifier(rule="ridge", cv=4, ridges=PAPER_RIDGES)
    evaluate_continual(paper, tasks, *data, callback=lambda t, fitted: ridges.append(fitted.ridge_))
    return ridges


def accuracies(X, y, train, order):
    """Of every rule, and of the best ridge in hindsight, after each task."""
    data = X[train].astype(np.float64), y[train], X[~train].astype(np.float64), y[~train]
    tasks = class_incremental_tasks(y[train], y[~train], N_TASKS, class_order=order)
    by_folds, rng = ridges_by_folds(tasks, *data), np.random.default_rng(0)
    halves, found = [None, None], []

    def measure(t, classifier):
        X_new, y_new = data[0][tasks[t][0]], data[1][tasks[t][0]]
        side = rng.permutation(len(y_new)) % 2
        for i in (0, 1):
            part = ClassStatistics.from_samples(X_new[side == i], y_new[side == i])
            halves[i] = part if halves[i] is None else halves[i] + part
        learned = Learned(classifier, (X_new, y_new), data[2:], halves, by_folds[t])
        ridges = [choose(learned) for choose in RULES.values()]
        found.append([*map(learned.accuracy, ridges), learned.in_hindsight()])

    evaluate_continual(LayUPClassifier(rule="ridge"), tasks, *data, callback=measure)
    return found


def compare_rules(streams, report):
    report("| stream | features | samples | " + " | ".join([*RULES, "best in hindsight"]) + " |")
    report("|---" * (len(RULES) + 4) + "|")
    totals = []
    for stream in streams():
        for n_layers in (1, 4):
            X, y, train = stream.samples(n_layers)
            runs = []
            for seed in range(N_ORDERS):
                order = np.random.default_rng(seed).permutation(np.unique(y))
                runs.append(accuracies(X, y, train, order))
            runs = np.array(runs)  # order, task, rule
            final, average = runs[:, -1].mean(axis=0), runs.mean(axis=(0, 1))
            totals.append((final, average))
            cells = [f"{f:.1f} / {a:.1f}" for f, a in zip(final, average)]
            report(
                f"| {stream.name}, {n_layers} | {X.shape[1]} | {train.sum()} | {' | '.join(cells)} |"
            )
    cells = [f"**{f:.1f} / {a:.1f}**" for f, a in zip(*np.mean(totals, axis=0))]
    report(f"| mean | | | {' | '.join(cells)} |")


def compare_numbers_of_layers(streams, report):
    report(
        "| stream | evidence: layers, accuracy | grid search: layers, accuracy | cost, plain fits |"
    )
    report("|---|---|---|---|")
    rows = []
    for stream in streams():
        X, y, train = stream.samples(6)
        sizes = [layer.shape[1] for layer in stream.layers["avg"][:6]]
        seconds = []
        for n_layers in (None, "auto"):
            start = time.perf_counter()
            auto = LayUPClassifier(Layers(sizes), n_layers=n_layers).fit(X[train], y[train])
            auto.coef_
            seconds.append(time.perf_counter() - start)
        trace = np.trace(auto.statistics_.gram)
        grid = {"n_layers": list(range(1, len(sizes) + 1)), "ridge": list(trace * GRID[2:16:2])}
        start = time.perf_counter()
        search = GridSearchCV(LayUPClassifier(Layers(sizes)), grid, cv=3).fit(X[train], y[train])
        searched = time.perf_counter() - start
        accuracy = [100 * model.score(X[~train], y[~train]) for model in (auto, search)]
        rows.append([*accuracy, seconds[1] / seconds[0], searched / seconds[0]])
        report(
            f"| {stream.name} | {auto.n_layers_}, {accuracy[0]:.1f} | "
            f"{search.best_params_['n_layers']}, {accuracy[1]:.1f} | "
            f"{rows[-1][2]:.1f} against {rows[-1][3]:.0f} |"
        )
    mean = np.mean(rows, axis=0)
    report(f"| mean | {mean[0]:.1f} | {mean[1]:.1f} | {mean[2]:.1f} against {mean[3]:.0f} |")


def compare_types_of_sums(streams, report):
    report("| stream | features | float64 | float32 | labels that differ, % |")
    report("|---|---|---|---|---|")
    rows = []
    for stream in streams():
        X, y, train = stream.samples(4)
        rows.append([])
        predictions = []
        for dtype in ("float64", "float32"):
            classifier = LayUPClassifier(dtype=dtype)
            for task in np.array_split(np.unique(y), N_TASKS):
                task = train & np.isin(y, task)
                classifier.partial_fit(X[task], y[task])
            predictions.append(classifier.predict(X[~train]))
            rows[-1].append(100 * (predictions[-1] == y[~train]).mean())
        rows[-1].append(100 * (predictions[0] != predictions[1]).mean())
        cells = " | ".join(f"{value:.2f}" for value in rows[-1])
        report(f"| {stream.name} | {X.shape[1]} | {cells} |")
    cells = " | ".join(f"{value:.2f}" for value in np.mean(rows, axis=0))
    report(f"| mean | | {cells} |")


def compare_few_samples(streams, report, n_draws=8):
    sizes = (20, 30, 60, 120)
    report("| stream | " + " | ".join(f"{n} samples" for n in sizes) + " |")
    report("|---" * (len(sizes) + 1) + "|")
    for stream in streams():
        X, y, train = stream.samples(4)
        (X, y), test = (X[train].astype(float), y[train]), (X[~train].astype(float), y[~train])
        cells = []
        for n in sizes:
            accuracy = []
            for seed in range(n_draws):
                rows = np.random.default_rng(seed).permutation(len(y))[:n]
                classifier = LayUPClassifier(rule="ridge").fit(X[rows], y[rows])
                learned = Learned(classifier, (X[rows], y[rows]), test)
                ridges = [learned.by_evidence, by_evidence_without_means(learned)]
                accuracy.append([*map(learned.accuracy, ridges), learned.in_hindsight()])
            cells.append(" / ".join(f"{value:.1f}" for value in np.mean(accuracy, axis=0)))
        report(f"| {stream.name} | {' | '.join(cells)} |")


def main():
    streams = each_stream(__doc__)

    def report(line):
        print(line, flush=True)

    report(__doc__.split("\n\n")[2] + "\n")
    compare_rules(streams, report)
    report(
        "\nFew samples of all classes, last four layers: accuracy with the ridge by evidence / by"
    )
    report("evidence without means / best in hindsight, mean of 8 draws, on the classes drawn:\n")
    compare_few_samples(streams, report)
    report("\nThe number of layers with the ridge, joint fit:\n")
    compare_numbers_of_layers(streams, report)
    report("\nFinal accuracy with sums in float64 and in float32, last four layers:\n")
    compare_types_of_sums(streams, report)


if __name__ == "__main__":
    main()

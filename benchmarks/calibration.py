"""How to make probabilities of ridge scores: a study on real streams.

    python -m benchmarks.calibration [--root benchmark_data] [STREAM ...]

The model of all training samples, the last one and the last four layers. Cells are the expected
calibration error of the predicted label in % (15 bins of equal width) / the log loss, on the
test samples. The maps see the sums alone, CalibratedClassifierCV all training samples at once
(five folds), the last column the test samples.
"""

from copy import copy

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, ndtr, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss

from layup_sklearn import LayUPClassifier
from layup_sklearn._ridge import RidgeFactor

from .streams import each_stream


class Sums:
    """What the maps may look at: the statistics, their factor, and the rows to classify."""

    def __init__(self, classifier, X):
        self.classifier, self.X, self.scores = classifier, X, X @ classifier.coef_.T
        self.count = classifier.statistics_.class_count
        self.n, self.n_classes = self.count.sum(), len(self.count)
        self.gram, self.class_sum = classifier.statistics_.gram, classifier.statistics_.class_sum
        self.ridge, self.coef = classifier.ridge_, classifier.coef_
        self.factor = RidgeFactor(classifier.statistics_, self.ridge)
        self.noise = self.factor.evidence().noise_variance()
        whiten, identity = self.factor.whiten, np.eye(len(self.gram))
        self.mean_leverage = np.vdot(whiten(self.gram), whiten(identity)) / self.n


def clipped(sums):
    scores = np.maximum(sums.scores, 1e-6)
    return scores / scores.sum(axis=1, keepdims=True)


def plain_softmax(sums):
    return softmax(sums.scores, axis=1)


def gaussian_classes(sums):
    """Linear discriminant analysis: the within-class covariance with the same ridge."""
    means = sums.class_sum / sums.count[:, np.newaxis]
    within = sums.gram - means.T @ sums.class_sum + sums.ridge * np.eye(len(sums.gram))
    directions = np.linalg.solve(within / sums.n, means.T)
    offset = np.log(sums.count / sums.n) - 0.5 * np.einsum("ij,ji->i", means, directions)
    return softmax(sums.X @ directions + offset, axis=1)


def density_at_one_hot(sums):
    """The Gaussian N(f, s^2 I) of the label, given that it is one-hot: T = s^2."""
    return softmax(sums.scores / sums.noise, axis=1)


def expected_likelihood(sums, n_draws=8000):
    """The T of largest expected log likelihood, were the held-out scores of each class Gaussian
    with one covariance; moments of the sums, freed of the average leverage."""
    leverage = sums.mean_leverage
    means = sums.class_sum @ sums.coef.T / sums.count[:, np.newaxis]
    within = sums.coef @ sums.gram @ sums.coef.T - (means.T * sums.count) @ means
    means = (means - leverage * np.eye(sums.n_classes)) / (1 - leverage)
    values, vectors = np.linalg.eigh(within / sums.n)
    root = vectors * np.sqrt(np.maximum(values, 0)) / (1 - leverage)
    rng = np.random.default_rng(0)
    label = rng.choice(sums.n_classes, n_draws, p=sums.count / sums.n)
    draws = means[label] + rng.standard_normal((n_draws, sums.n_classes)) @ root.T
    return softmax(sums.scores / best_scale(draws, label), axis=1)


def largest_draw(sums, n_nodes=64):
    """Multinomial probit: how often each class is the largest of N(f, s^2 I)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    probabilities = np.empty_like(sums.scores)
    for label in range(sums.n_classes):
        ahead = sums.scores[:, [label]] - np.delete(sums.scores, label, axis=1)
        ahead = ahead[:, :, np.newaxis] / np.sqrt(sums.noise) + nodes
        probabilities[:, label] = ndtr(ahead).prod(axis=1) @ weights
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def rule_of_ridge(sums):
    """What the package answers: T = sqrt(3) s / pi."""
    return sums.classifier.predict_proba(sums.X)


def rule_of_gaussians(sums):
    """What it answers by default."""
    return copy(sums.classifier).set_params(rule="gaussian").predict_proba(sums.X)


def logistic_of_gcv(sums):
    """The same with the leave-one-out residual that generalised cross-validation estimates."""
    error = sums.n - np.vdot(sums.coef, 2 * sums.class_sum - sums.coef @ sums.gram)
    noise = error / (sums.n * (sums.n_classes - 1) * (1 - sums.mean_leverage) ** 2)
    return softmax(sums.scores * np.pi / np.sqrt(3 * noise), axis=1)


MAPS = {
    "clipped scores": clipped,
    "softmax": plain_softmax,
    "Gaussian classes": gaussian_classes,
    "T = s^2": density_at_one_hot,
    "expected likelihood": expected_likelihood,
    "largest draw": largest_draw,
    "rule='ridge': T = sqrt(3) s / pi": rule_of_ridge,
    "the same, s of GCV": logistic_of_gcv,
    "rule='gaussian'": rule_of_gaussians,
}
METHODS = ["sigmoid", "isotonic", "temperature"]


def best_scale(scores, y):
    def loss(log_scale):
        return -log_softmax(scores / np.exp(log_scale), axis=1)[np.arange(len(y)), y].mean()

    return np.exp(minimize_scalar(loss, bounds=(-9, 2), method="bounded").x)


def errors(probabilities, y, n_bins=15):
    """Expected calibration error in %, log loss; y counts the columns."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(bins, confidence - right, n_bins)
    loss = log_loss(y, probabilities, labels=np.arange(probabilities.shape[1]))
    return 100 * np.abs(gaps).sum() / len(y), loss


def measure(X, y, train, ridge_times=1.0, with_samples=False):
    """The errors of every map."""
    classifier = LayUPClassifier(rule="ridge").fit(X[train], y[train])
    if ridge_times != 1:
        classifier.set_params(ridge=ridge_times * classifier.ridge_)
    sums, truth = Sums(classifier, X[~train]), y[~train]
    result = {
        name: errors(to_probabilities(sums), truth) for name, to_probabilities in MAPS.items()
    }
    for method in METHODS if with_samples else ():
        calibrated = CalibratedClassifierCV(LayUPClassifier(rule="ridge"), method=method, cv=5)
        calibrated.fit(X[train], y[train])
        result[f"CV, {method}"] = errors(calibrated.predict_proba(X[~train]), truth)
    best = softmax(sums.scores / best_scale(sums.scores, truth), axis=1)
    return result | {"best T in hindsight": errors(best, truth)}


def cases(streams):
    for stream in streams():
        for n_layers in (1, 4):
            X, y, train = stream.samples(n_layers)
            yield f"{stream.name}, {n_layers}", X.astype(np.float64), y, train


def row(name, cells, mark=""):
    text = [f"{mark}{error:.1f} / {loss:.3f}{mark}" for error, loss in cells]
    print(f"| {name} | {' | '.join(text)} |", flush=True)


def few(y, train, n):
    """Training mask with n samples of each class."""
    rows = np.random.default_rng(0).permutation(np.flatnonzero(train))
    chosen = np.concatenate([rows[y[rows] == label][:n] for label in np.unique(y)])
    return np.isin(np.arange(len(y)), chosen)


def main():
    streams = each_stream(__doc__)
    names = [*MAPS, *(f"CV, {method}" for method in METHODS), "best T in hindsight"]
    print(f"| stream | {' | '.join(names)} |\n" + "|---" * (len(names) + 1) + "|")
    table = []
    for name, *stream in cases(streams):
        table.append(list(measure(*stream, with_samples=True).values()))
        row(name, table[-1])
    row("mean", np.mean(table, axis=0), "**")

    names = [*MAPS, "best T in hindsight"]
    print("\nMeans of all rows with few samples, and with a ridge times that of the evidence:\n")
    print(f"| | {' | '.join(names)} |\n" + "|---" * (len(names) + 1) + "|")
    for n in (8, 30):
        table = []
        for _, X, y, train in cases(streams):
            rows = ~train | few(y, train, n)
            table.append(list(measure(X[rows], y[rows], train[rows]).values()))
        row(f"{n} samples a class", np.mean(table, axis=0))
    for times in (0.01, 0.1, 10, 100):
        table = [list(measure(*stream, times).values()) for _, *stream in cases(streams)]
        row(f"ridge x {times}", np.mean(table, axis=0))


if __name__ == "__main__":
    main()

"""The ridge of the Gaussian rule: evidence of ridge regression, of the model itself, or hindsight.

    python -m benchmarks.studies.gaussian_ridge [--root benchmark_data] [STREAM ...]

Accuracy in %, uniform priors and test, one draw of the training samples. "model" maximises the evidence of
Gaussian classes whose covariance has an inverse Wishart prior of scale ridge I and d + 2 degrees
of freedom; "hindsight" is the best on the test samples, within two decades of the package's choice.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

from layup_sklearn import LayUPClassifier

from .. import methods
from ..streams import load
from .readout import PHOTOS, draw


def model_ridge(statistics, ridges):
    """The ridge of largest evidence of the model, of some."""
    means = statistics.class_sum / statistics.class_count[:, np.newaxis]
    within = statistics.gram - (means.T * statistics.class_count) @ means
    scatter = np.maximum(np.linalg.eigvalsh(within), 0)
    d, n = len(scatter), statistics.n_samples - len(means)
    evidence = [
        (d + 2) * d * np.log(ridge) - (d + 2 + n) * np.log(scatter + ridge).sum()
        for ridge in ridges
    ]
    return ridges[np.argmax(evidence)]


def accuracies(X, y, X_test, y_test):
    """By the package's choice, by the model's evidence, and in hindsight."""
    classifier = LayUPClassifier(priors="uniform").fit(X, y)
    chosen, ours = classifier.ridge_, classifier.score(X_test, y_test)
    ridges = chosen * 10.0 ** np.arange(-6, 6, 0.5)
    of_model = classifier.set_params(ridge=model_ridge(classifier.statistics_, ridges))
    by_model = of_model.score(X_test, y_test)
    near = chosen * 10.0 ** np.arange(-2, 2.1, 0.5)
    best = max(classifier.set_params(ridge=ridge).score(X_test, y_test) for ridge in near)
    return 100 * np.array([ours, by_model, best])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = [f"{name}_efficientnet" for name in PHOTOS]
    parser.add_argument("streams", nargs="*", metavar="STREAM", default=default)
    parser.add_argument("--root", type=Path, default=Path("benchmark_data"))
    options = parser.parse_args()
    warnings.filterwarnings("ignore", "The evidence is highest")
    print("| stream | training | ridge regression | model | hindsight |\n" + "|---" * 5 + "|")
    for name in options.streams:
        stream = load(name, options.root)
        X, X_test, _ = stream.features(**stream.resolve(methods.get("layup").FEATURES))
        y, y_test = stream.dataset.y_train, stream.dataset.y_test
        for case in ("all", "1:20", "1", "5"):
            rng = np.random.default_rng(0)
            rows = draw(y, case, rng, rng.permutation(np.unique(y)))
            cells = [f"{value:.1f}" for value in accuracies(X[rows], y[rows], X_test, y_test)]
            print(f"| {name} | {case} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

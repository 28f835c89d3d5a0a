"""From the same sums to labels and probabilities: candidates, and peers on the same features.

    python -m benchmarks.studies.readout [--root benchmark_data] [--peers] [STREAM ...]
    python -m benchmarks.studies.readout --report

Of the training samples each case takes a part, drawn three times: all, classes of 1:5, 1:20 and
1:100 in random order, 1, 2, 5 and 20 a class. The test samples stay as they are, or are drawn with the
shares of the training samples ("natural"). Then one class against all others, on 1,500 training
samples, raw, standardised, and as 30 principal components, beside scikit-learn with all samples.
Features are those of the method `layup`. Results go to results/readout.json, stream by stream;
a stream that is there is left out.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from layup_sklearn import LayUPClassifier

from .. import methods
from ..calibration import best_scale, errors
from ..streams import REAL_STREAMS, load
from ._cases import CASES, NATURAL, OURS, PEERS
from ._report import report
from ._rules import CANDIDATES, Sums

RESULTS = Path(__file__).parents[1] / "results"
PHOTOS = ["cub100", "cifar100_small", "mixed5", "pacs"]
STREAMS = [f"{name}_{net}" for net in ("efficientnet", "dinov2") for name in PHOTOS] + REAL_STREAMS
N_DRAWS = 3


def draw(y, case, rng, classes):
    """Rows of a case; `classes` in the order of their size."""
    order = rng.permutation(len(y))
    rows = [order[y[order] == label] for label in classes]
    if case == "all":
        return order
    if case.startswith("1:"):
        shares = float(case[2:]) ** -np.linspace(0, 1, len(classes))
        sizes = [max(1, round(len(part) * share)) for part, share in zip(rows, shares)]
    else:
        sizes = [int(case)] * len(classes)
    return np.concatenate([part[:size] for part, size in zip(rows, sizes)])


def of_labels(labels, y):
    """Accuracy, mean over classes, and of the worst class, in %."""
    by_class = [100 * (labels[y == label] == label).mean() for label in np.unique(y)]
    return {
        "accuracy": 100 * (labels == y).mean(),
        "balanced": np.mean(by_class),
        "worst": min(by_class),
    }


def of_probabilities(probabilities, y):
    """The same, calibration error in %, log loss, and log loss at the best temperature."""
    clipped = np.clip(probabilities, 1e-15, 1)
    clipped /= clipped.sum(axis=1, keepdims=True)
    calibration, loss = errors(clipped, y)
    scores = np.log(clipped)
    scores /= best_scale(scores, y)
    scores -= scores.max(axis=1, keepdims=True)
    best = -(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))[np.arange(len(y)), y]
    found = of_labels(probabilities.argmax(axis=1), y)
    return found | {"calibration": calibration, "loss": loss, "best loss": best.mean()}


def of_ours(X, y, tests):
    """Of every rule of the package, and test set."""
    for name, parameters in OURS.items():
        classifier = LayUPClassifier(**parameters).fit(X, y)
        for test, (X_test, y_test) in tests.items():
            yield f"{name}, {test}", of_probabilities(classifier.predict_proba(X_test), y_test)


def of_candidates(X, y, tests):
    """Of every candidate, at the ridge that the evidence finds, on the uniform test set."""
    sums = Sums(LayUPClassifier(rule="ridge").fit(X, y))
    X_test, y_test = tests["uniform"]
    for name, rule in CANDIDATES.items():
        coef, intercept = rule(sums)
        yield name, of_labels((X_test @ coef.T + intercept).argmax(axis=1), y_test)


def of_peers(X, y, tests):
    X_test, y_test = tests["uniform"]
    for name in PEERS:
        try:
            model = methods.get(name).make([X.shape[1]], 0).partial_fit(X, y)
        except ValueError:  # of LDA, with one sample a class
            continue
        yield name, of_labels(model.predict(X_test), y_test)


def of_two_classes(X, y, X_test, y_test):
    """One class against all others."""
    rows = np.random.default_rng(0).permutation(len(y))[:1500]
    preparations = {"raw": [], "standardised": [StandardScaler()]}
    preparations["30 components"] = [PCA(30, random_state=0)]
    models = {
        "rule='ridge'": LayUPClassifier(rule="ridge"),
        "Gaussian": LayUPClassifier(),
        "RidgeClassifierCV": RidgeClassifierCV(np.logspace(-3, 5, 9)),
        "LDA, Ledoit-Wolf": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    }
    for preparation, steps in preparations.items():
        for label in (0, y.max() // 2):
            for name, model in models.items():
                fitted = make_pipeline(*steps, model).fit(X[rows], y[rows] == label)
                accuracy = 100 * fitted.score(X_test, y_test == label)
                yield f"{preparation}, {label}, {name}", {"accuracy": accuracy}


def rounded(found):
    return {
        rule: {measure: round(float(number), 3) for measure, number in numbers.items()}
        for rule, numbers in found.items()
    }


def study(stream, with_peers):
    """{case: {draw: {rule: {measure: number}}}} of a stream."""
    options = stream.resolve(methods.get("layup").FEATURES)
    X, X_test, _ = stream.features(**options)
    y, y_test = stream.dataset.y_train, stream.dataset.y_test
    found = {}
    for case in ["all", "1:20", "1", "5"] if with_peers else CASES:
        for seed in range(1 if with_peers or case == "all" else N_DRAWS):
            rng = np.random.default_rng(seed)
            classes = rng.permutation(np.unique(y))
            rows = draw(y, case, rng, classes)
            tests = {"uniform": (X_test, y_test)}
            if case in NATURAL:
                natural = draw(y_test, case, rng, classes)
                tests["natural"] = X_test[natural], y_test[natural]
            which = [of_peers] if with_peers else [of_ours, of_candidates]
            measured = {n: m for each in which for n, m in each(X[rows], y[rows], tests)}
            found.setdefault(case, {})[seed] = rounded(measured)
    if not with_peers:
        found["two classes"] = {0: rounded(dict(of_two_classes(X, y, X_test, y_test)))}
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("streams", nargs="*", metavar="STREAM", default=STREAMS)
    parser.add_argument("--root", type=Path, default=Path("benchmark_data"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--peers", action="store_true", help="other methods, on one draw")
    parser.add_argument("--report", action="store_true", help="the tables of what is there")
    options = parser.parse_args()
    if options.report:
        return print(report(options.results))
    warnings.filterwarnings("ignore", "The evidence is highest")
    path = options.results / f"readout{'_peers' if options.peers else ''}.json"
    done = json.loads(path.read_text()) if path.exists() else {}
    for name in options.streams:
        if name not in done:
            done[name] = study(load(name, options.root), options.peers)
            path.write_text(json.dumps(done) + "\n")
            print(name, "done", flush=True)


if __name__ == "__main__":
    main()

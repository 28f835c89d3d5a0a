"""From the same sums to answers: the ridge rule and the Gaussian rule on real photographs.

    python -m benchmarks.studies.readout --root FOLDER [NAME ...]

FOLDER/NAME/{train,test}/.../CLASS/* are pictures (cub100, cifar100, mixed5, pacs). Each goes
through an EfficientNet-Lite0 and a DINOv2 ViT-S at 112 pixels, with the package's default columns
(1,024 and 2,304); the features are kept in FOLDER/features. Of the training pictures each case takes
a part, drawn three times: all, classes of 1:5, 1:20 and 1:100 in random order, 1, 2, 5 and 20 a class.
The test pictures stay as they are. Then one class against all others, on 1,500 training pictures,
raw, standardised, and as 30 principal components, beside scikit-learn with all samples.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifierCV
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from layup_sklearn import ImageEncoder, LayUPClassifier

from ..calibration import errors
from ..networks import dinov2_small, efficientnet_lite0

NAMES, N_DRAWS = ["cub100", "cifar100", "mixed5", "pacs"], 3
RULES = {
    "ridge": {"rule": "ridge"},
    "gaussian": {"rule": "gaussian"},
    "gaussian, uniform": {"rule": "gaussian", "priors": "uniform"},
}
CASES = ["all", "1:5", "1:20", "1:100", "1", "2", "5", "20"]


def encoders(root):
    yield (
        "efficientnet",
        ImageEncoder("tf_efficientnet_lite0", checkpoint_path=efficientnet_lite0(), image_size=112),
    )
    weights = dinov2_small(root / "downloads")
    yield (
        "dinov2",
        ImageEncoder("vit_small_patch14_dinov2", checkpoint_path=weights, image_size=112),
    )


def features(root, name, network, encoder):
    """X_train, y_train, X_test, y_test; from FOLDER/features where they are there."""
    path = root / "features" / f"{name}_{network}.npz"
    if not path.exists():
        arrays = {}
        for part in ("train", "test"):
            files = sorted(p for p in (root / name / part).rglob("*") if p.is_file())
            arrays[f"X_{part}"] = encoder.fit_transform(files)
            arrays[f"y_{part}"] = np.array([file.parent.name for file in files])
        path.parent.mkdir(exist_ok=True)
        np.savez(path, **arrays)
    with np.load(path) as file:
        return [file[name] for name in ("X_train", "y_train", "X_test", "y_test")]


def draw(y, case, rng):
    """Rows of a case."""
    order = rng.permutation(len(y))
    classes = rng.permutation(np.unique(y))
    if case == "all":
        return order
    rows = [order[y[order] == label] for label in classes]
    if case.startswith("1:"):
        shares = float(case[2:]) ** -np.linspace(0, 1, len(classes))
        sizes = [max(1, round(len(part) * share)) for part, share in zip(rows, shares)]
    else:
        sizes = [int(case)] * len(classes)
    return np.concatenate([part[:size] for part, size in zip(rows, sizes)])


def measure(X, y, X_test, y_test):
    """Accuracy, balanced accuracy, log loss and calibration error of each rule."""
    for parameters in RULES.values():
        classifier = LayUPClassifier(**parameters).fit(X, y)
        probabilities = classifier.predict_proba(X_test)
        labels = classifier.classes_[probabilities.argmax(axis=1)]
        clipped = np.clip(probabilities, 1e-15, 1)
        clipped /= clipped.sum(axis=1, keepdims=True)
        yield [
            100 * (labels == y_test).mean(),
            100 * balanced_accuracy_score(y_test, labels),
            log_loss(y_test, clipped, labels=classifier.classes_),
            errors(probabilities, np.searchsorted(classifier.classes_, y_test))[0],
        ]


def one_against_the_rest(X, y, X_test, y_test):
    """Accuracies {preparation: [ridge rule, Gaussian rule, RidgeClassifierCV, LDA]}, two classes."""
    rows = np.random.default_rng(0).permutation(len(y))[:1500]
    preparations = {"raw": [], "standardised": [StandardScaler()]}
    preparations["30 components"] = [PCA(30, random_state=0)]
    classes = np.unique(y)
    for name, steps in preparations.items():
        accuracies = []
        for label in (classes[0], classes[len(classes) // 2]):
            models = [LayUPClassifier(), LayUPClassifier(rule="gaussian")]
            models += [RidgeClassifierCV(np.logspace(-3, 5, 9))]
            models += [LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")]
            fitted = [make_pipeline(*steps, m).fit(X[rows], y[rows] == label) for m in models]
            accuracies.append([100 * model.score(X_test, y_test == label) for model in fitted])
        yield name, np.mean(accuracies, axis=0)


def row(name, cells):
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("names", nargs="*", default=NAMES)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", "The evidence is highest")
    table, pairs = {}, {}
    row("stream, case", [f"{rule}: accuracy, balanced, log loss, calibration" for rule in RULES])
    print("|---" * (len(RULES) + 1) + "|")
    for network, encoder in encoders(arguments.root):
        for name in arguments.names:
            X, y, *test = features(arguments.root, name, network, encoder)
            for case in CASES:
                runs = []
                for seed in range(N_DRAWS if case != "all" else 1):
                    rows = draw(y, case, np.random.default_rng(seed))
                    runs.append(list(measure(X[rows], y[rows], *test)))
                mean = np.mean(runs, axis=0)
                table.setdefault(case, []).append(mean)
                cells = ["{:.1f}, {:.1f}, {:.2f}, {:.1f}".format(*numbers) for numbers in mean]
                row(f"{name}_{network}, {case}", cells)
            for preparation, accuracies in one_against_the_rest(X, y, *test):
                pairs.setdefault(preparation, []).append(accuracies)
    for case, runs in table.items():
        cells = ["{:.1f}, {:.1f}, {:.2f}, {:.1f}".format(*n) for n in np.mean(runs, axis=0)]
        row(f"**mean, {case}**", cells)
    print("\nOne class against the rest, accuracy, mean over streams and two classes:\n")
    row("features", ["ridge rule", "Gaussian rule", "RidgeClassifierCV", "LDA, Ledoit-Wolf"])
    print("|---" * 5 + "|")
    for preparation, runs in pairs.items():
        row(preparation, [f"{value:.1f}" for value in np.mean(runs, axis=0)])


if __name__ == "__main__":
    main()

"""First-session adaptation against frozen features, on real streams.

    python -m benchmarks.adaptation [FOLDER]

Fetches what is not in FOLDER (benchmark_data) yet and writes one small JSON a run into
FOLDER/adaptation; what is there already is not run again.

Five class-incremental tasks, two class orders. The first task holds a fifth of the classes
("equal") or half of them ("half"). The network (DINOv2 ViT-S, 56 pixels, class tokens of the
last six blocks) is left as it is or adapted to the first task for five epochs; then
LayUPClassifier learns task by task. Accuracy on all classes after the last task, in %.
"""

import json
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np

from layup_sklearn import AdaptedImageEncoder, ImageEncoder, LayUPClassifier

from .datasets import digits, emoji, fashion
from .networks import dinov2_small

METHODS = ["frozen", "adaptformer", "ssf", "vpt", "lora"]
ORDERS = [0, 1]
EPOCHS, IMAGE_SIZE, N_TASKS = 5, 56, 5


def samples(dataset, every=1):
    """Images, classes and training mask; every so many of the training images."""
    images = [*dataset.train[every - 1 :: every], *dataset.test]
    y_train = dataset.y_train[every - 1 :: every]
    y = np.concatenate([y_train, dataset.y_test])
    return images, y, np.arange(len(y)) < len(y_train)


STREAMS = {
    "fashion": lambda root: samples(fashion.load(root, n_train=1000, n_test=1000)),
    "emoji": lambda root: samples(emoji.load(root)),
    "digits": lambda root: samples(digits.load(root), every=2),
}
STUDIES = [
    ("fashion", "half"),
    ("emoji", "half"),
    ("fashion", "equal"),
    ("emoji", "equal"),
    ("digits", "equal"),
]


def tasks_of(classes, split):
    """Classes of the five tasks."""
    if split == "equal":
        return np.array_split(classes, N_TASKS)
    half = len(classes) // 2
    return [classes[:half], *np.array_split(classes[half:], N_TASKS - 1)]


def make_encoder(root, method, seed):
    options = {
        "checkpoint_path": dinov2_small(root / "downloads"),
        "image_size": IMAGE_SIZE,
        "n_layers": 6,
        "pool": "token",
        "layer_norm": False,
    }
    name = "vit_small_patch14_dinov2"
    if method == "frozen":
        return ImageEncoder(name, **options)
    return AdaptedImageEncoder(name, method=method, epochs=EPOCHS, random_state=seed, **options)


def run(root, stream, split, seed, method):
    """Accuracies after the last task and the seconds they took."""
    images, y, train = STREAMS[stream](root)
    tasks = tasks_of(np.random.default_rng(seed).permutation(np.unique(y)), split)
    first = np.flatnonzero(train & np.isin(y, tasks[0]))

    start = time.perf_counter()
    encoder = make_encoder(root, method, seed)
    encoder.fit([images[i] for i in first], y[first])
    adapted = time.perf_counter()
    frozen = method == "frozen"
    features = frozen_features(root, stream) if frozen else encoder.transform(images)
    done = time.perf_counter()

    result = {
        "classes of task 1": len(tasks[0]),
        "images of task 1": len(first),
        "history": getattr(encoder, "history_", []),
        "seconds of adaptation": adapted - start,
        "seconds of features": done - adapted,
    }
    width = encoder.layer_sizes_[0]
    for n_layers in (1, 6):
        columns = features[:, : width * n_layers]
        classifier = LayUPClassifier()
        for task in tasks:
            rows = train & np.isin(y, task)
            classifier.partial_fit(columns[rows], y[rows])
        right = classifier.predict(columns[~train]) == y[~train]
        in_first = np.isin(y[~train], tasks[0])
        parts = {"all": right, "first task": right[in_first], "later tasks": right[~in_first]}
        result[f"{n_layers} layers"] = {name: 100 * part.mean() for name, part in parts.items()}
    return result


@cache
def frozen_features(root, stream):
    images = STREAMS[stream](root)[0]
    return make_encoder(root, "frozen", None).transform(images)


def table(results, report):
    report("| stream | task 1: classes, images | order | layers | " + " | ".join(METHODS) + " |")
    report("|---" * (len(METHODS) + 4) + "|")
    gains = {}
    for stream, split in STUDIES:
        for n_layers in (1, 6):
            rows = []
            for seed in ORDERS:
                runs = [results.get((stream, split, seed, method)) for method in METHODS]
                if None in runs:
                    continue
                rows.append([run[f"{n_layers} layers"]["all"] for run in runs])
                size = f"{runs[0]['classes of task 1']}, {runs[0]['images of task 1']}"
                cells = " | ".join(f"{value:.1f}" for value in rows[-1])
                report(f"| {stream}, {split} | {size} | {seed} | {n_layers} | {cells} |")
            gains.setdefault((split, n_layers), []).extend(rows)
    report("\nGain over frozen features, mean and standard error over streams and orders:\n")
    report("| task 1 | layers | runs | " + " | ".join(METHODS[1:]) + " |")
    report("|---" * (len(METHODS) + 2) + "|")
    for (split, n_layers), rows in sorted(gains.items()):
        if len(rows) > 1:
            gain = np.array(rows)[:, 1:] - np.array(rows)[:, :1]
            error = gain.std(axis=0, ddof=1) / np.sqrt(len(rows))
            cells = " | ".join(f"{m:+.1f} ± {e:.1f}" for m, e in zip(gain.mean(axis=0), error))
            report(f"| {split} | {n_layers} | {len(rows)} | {cells} |")


def main(root="benchmark_data"):
    root = Path(root)
    target = root / "adaptation"
    target.mkdir(parents=True, exist_ok=True)
    results = {}
    for stream, split in STUDIES:
        for seed in ORDERS:
            for method in METHODS:
                path = target / f"{stream}-{split}-{seed}-{method}.json"
                if not path.exists():
                    result = run(root, stream, split, seed, method)
                    partial = path.with_suffix(".partial")
                    partial.write_text(json.dumps(result, indent=1))
                    partial.rename(path)
                    print(
                        path.stem, f"{result['6 layers']['all']:.1f}", file=sys.stderr, flush=True
                    )
                results[stream, split, seed, method] = json.loads(path.read_text())
    table(results, print)


if __name__ == "__main__":
    main(*sys.argv[1:])
